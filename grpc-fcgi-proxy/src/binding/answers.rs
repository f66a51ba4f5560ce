//! The body of a streaming answer: turns PHP's frames into bytes for the client, and trailers.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use grpc_wire::encoding::Encoding;
use grpc_wire::frame::{FrameScanner, Piece};
use grpc_wire::message::{self, COMPRESSED, MessageError};

use super::frame::{NOOP, SERVER_LOAD, TRAILERS};
use super::head::{self, HeadError, Trailers};
use super::load_report::{InvalidReport, OrcaLoadReport, decode_server_report};

/// Decodes the frames behind the header fields.
#[derive(Debug)]
pub(crate) struct AnswerDecoder {
    scanner: FrameScanner,
    pieces: VecDeque<Piece>,
    /// Compresses the messages that PHP flags as compressed.
    encoding: Option<Encoding>,
}

/// A part of the answer.
#[derive(Debug)]
pub(crate) enum AnswerPart {
    /// Bytes of messages, ready for the client.
    Messages(Bytes),
    /// Nothing, but the header fields are to be sent.
    Noop,
    /// What the script reports on the load of the whole server.
    ServerLoad(Result<Box<OrcaLoadReport>, InvalidReport>),
    /// The content of a message, to be compressed.
    Uncompressed(Encoding, Bytes),
    /// They end the answer.
    Trailers(Trailers),
}

/// The script's frames violate the binding.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("answer: {0}")]
    Message(#[from] MessageError),
    #[error(transparent)]
    Trailers(#[from] HeadError),
    #[error("the answer's Content-Length is {declared}, but its body has {length} bytes")]
    Length { declared: u64, length: usize },
    #[error("PHP logged a fatal error, and the answer has no Grpc-Status")]
    FatalError,
    #[error("cannot compress the answer: {0}")]
    Compress(#[from] io::Error),
}

impl AnswerDecoder {
    pub(crate) fn new(limit: usize, encoding: Option<Encoding>) -> Self {
        Self {
            scanner: FrameScanner::with_flags(limit, &[NOOP, SERVER_LOAD, TRAILERS]),
            pieces: VecDeque::new(),
            encoding,
        }
    }

    /// How many messages have begun.
    pub(crate) fn messages(&self) -> u64 {
        self.scanner.messages()
    }

    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<(), AnswerError> {
        Ok(self.scanner.push(bytes, &mut self.pieces)?)
    }

    /// The next part of the pushed bytes; `None` if more bytes are needed.
    pub(crate) fn decode(&mut self) -> Result<Option<AnswerPart>, AnswerError> {
        if let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Plain(bytes) => return Ok(Some(AnswerPart::Messages(bytes))),
                Piece::Flagged(COMPRESSED, content) => {
                    return Ok(Some(match self.encoding {
                        Some(encoding) => AnswerPart::Uncompressed(encoding, content),
                        None => AnswerPart::Messages(message::encode(0, &content)),
                    }));
                }
                Piece::Flagged(TRAILERS, block) => {
                    return Ok(Some(AnswerPart::Trailers(head::parse_trailers(&block)?)));
                }
                Piece::Flagged(SERVER_LOAD, content) => {
                    return Ok(Some(AnswerPart::ServerLoad(decode_server_report(&content))));
                }
                Piece::Flagged(NOOP, _) => return Ok(Some(AnswerPart::Noop)),
                Piece::Flagged(flags, _) => return Err(MessageError::Flags(flags).into()),
            }
        }
        Ok(None)
    }
}
