//! What PHP prints in a streaming call, as the client gets it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::CallError;
use crate::grpc::encoding::{Encoding, EncodingError};
use crate::grpc::frame::{FrameScanner, Piece, TRAILERS, VOID};
use crate::grpc::message::{self, COMPRESSED, MessageError};
use crate::response::{self, Trailers};

/// The frames behind the header fields.
pub(super) struct Answers {
    scanner: FrameScanner,
    pieces: VecDeque<Piece>,
    /// What a message is compressed with if PHP asks for it.
    encoding: Option<Encoding>,
}

/// What comes next.
pub(super) enum Answer {
    /// Bytes of messages for the client.
    Messages(Bytes),
    /// The end.
    Trailers(Trailers),
}

impl Answers {
    pub(super) fn new(limit: usize, encoding: Option<Encoding>) -> Self {
        Self {
            scanner: FrameScanner::new(limit),
            pieces: VecDeque::new(),
            encoding,
        }
    }

    /// How many messages have begun.
    pub(super) fn messages(&self) -> u64 {
        self.scanner.messages()
    }

    pub(super) fn push(&mut self, bytes: Bytes) -> Result<(), CallError> {
        self.scanner
            .push(bytes, &mut self.pieces)
            .map_err(CallError::ResponseMessage)
    }

    /// What is there of what was pushed.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, CallError> {
        while let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Plain(bytes) => return Ok(Some(Answer::Messages(bytes))),
                Piece::Flagged(COMPRESSED, content) => {
                    return Ok(Some(Answer::Messages(self.compress(&content)?)));
                }
                Piece::Flagged(TRAILERS, block) => {
                    return Ok(Some(Answer::Trailers(response::parse_trailers(&block)?)));
                }
                Piece::Flagged(VOID, _) => {}
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
