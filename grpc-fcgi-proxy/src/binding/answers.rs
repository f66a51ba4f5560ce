//! What PHP prints in a streaming call, as the client gets it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame::{NOOP, TRAILERS};
use crate::binding::head::{self, Trailers};
use crate::call::error::CallError;
use grpc_wire::encoding::{Encoding, EncodingError};
use grpc_wire::frame::{FrameScanner, Piece};
use grpc_wire::message::{self, COMPRESSED, MessageError};

/// The frames behind the header fields.
pub(crate) struct Answers {
    scanner: FrameScanner,
    pieces: VecDeque<Piece>,
    /// What a message is compressed with if PHP asks for it.
    encoding: Option<Encoding>,
}

/// What comes next.
pub(crate) enum Answer {
    /// Bytes of messages for the client.
    Messages(Bytes),
    /// The end.
    Trailers(Trailers),
}

impl Answers {
    pub(crate) fn new(limit: usize, encoding: Option<Encoding>) -> Self {
        Self {
            scanner: FrameScanner::new(limit),
            pieces: VecDeque::new(),
            encoding,
        }
    }

    /// How many messages have begun.
    pub(crate) fn messages(&self) -> u64 {
        self.scanner.messages()
    }

    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<(), CallError> {
        self.scanner
            .push(bytes, &mut self.pieces)
            .map_err(CallError::ResponseMessage)
    }

    /// What is there of what was pushed.
    pub(crate) fn next(&mut self) -> Result<Option<Answer>, CallError> {
        while let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Plain(bytes) => return Ok(Some(Answer::Messages(bytes))),
                Piece::Flagged(COMPRESSED, content) => {
                    return Ok(Some(Answer::Messages(self.compress(&content)?)));
                }
                Piece::Flagged(TRAILERS, block) => {
                    return Ok(Some(Answer::Trailers(head::parse_trailers(&block)?)));
                }
                Piece::Flagged(NOOP, _) => {}
                Piece::Flagged(flags, _) => {
                    return Err(CallError::ResponseMessage(MessageError::Flags(flags)));
                }
            }
        }
        Ok(None)
    }

    fn compress(&self, content: &[u8]) -> Result<Bytes, CallError> {
        let Some(encoding) = self.encoding else {
            return Ok(message::encode(0, content));
        };
        Ok(message::encode(
            COMPRESSED,
            &encoding.compress(content).map_err(EncodingError::from)?,
        ))
    }
}
