//! Length-prefixed messages: a flag, a length, the content.
//!
//! PROTOCOL-HTTP2, "Length-Prefixed-Message". DATA frames do not align with messages.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::encoding::Encoding;

/// One byte of flags, four bytes of length.
pub const PREFIX_LENGTH: usize = 5;

/// The flag of a compressed message.
pub const COMPRESSED: u8 = 0x01;

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whether the content is compressed, as `grpc-encoding` names.
    pub compressed: bool,
    /// The content, compressed or not.
    pub content: Bytes,
}

/// A malformed message, or one that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The message exceeds the limit.
    #[error("the message has {length} bytes, over the limit of {limit}")]
    TooLarge {
        /// The length in its prefix.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Only the flags 0 and 1 are defined.
    #[error("the message has the unknown flags {0:#04x}")]
    Flags(u8),
    /// The client half-closed in the middle of a message.
    #[error("the request ended in the middle of a message")]
    CutShort,
}

/// Decodes messages from the pieces of a request's body.
#[derive(Debug)]
pub struct Decoder {
    input: BytesMut,
    limit: usize,
}

impl Decoder {
    /// Messages of more than `limit` bytes are refused by their prefix alone.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            input: BytesMut::new(),
            limit,
        }
    }

    /// Adds the next piece of the body.
    pub fn push(&mut self, piece: Bytes) {
        if self.input.is_empty() {
            // This does not copy unless the piece is shared.
            self.input = piece.into();
        } else {
            self.input.extend_from_slice(&piece);
        }
    }

    /// Decodes the next message; `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// If the message is malformed or exceeds the limit.
    pub fn decode(&mut self) -> Result<Option<Message>, MessageError> {
        let Some(&[flags, a, b, c, d]) = self.input.first_chunk::<PREFIX_LENGTH>() else {
            return Ok(None);
        };
        if flags > 1 {
            return Err(MessageError::Flags(flags));
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(MessageError::TooLarge {
                length,
                limit: self.limit,
            });
        }
        if self.input.len() < PREFIX_LENGTH + length {
            return Ok(None);
        }
        self.input.advance(PREFIX_LENGTH);
        let content = self.input.split_to(length).freeze();
        Ok(Some(Message {
            compressed: flags == 1,
            content,
        }))
    }

    /// Whether the body may end here.
    ///
    /// # Errors
    ///
    /// If a message is incomplete.
    pub fn finish(&self) -> Result<(), MessageError> {
        if self.input.is_empty() {
            Ok(())
        } else {
            Err(MessageError::CutShort)
        }
    }
}

/// Encodes a message: prefix and content.
#[must_use]
pub fn encode(flags: u8, content: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX_LENGTH + content.len());
    out.put_u8(flags);
    out.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    out.put_slice(content);
    out.freeze()
}

/// Encodes a message: prefix and compressed content.
///
/// # Errors
///
/// Only if the encoder fails.
pub fn encode_compressed(encoding: Encoding, content: &[u8]) -> io::Result<Bytes> {
    let mut out = encoding.compress(content, vec![0; PREFIX_LENGTH])?;
    let length = u32::try_from(out.len() - PREFIX_LENGTH).unwrap_or(u32::MAX);
    out[0] = COMPRESSED;
    out[1..PREFIX_LENGTH].copy_from_slice(&length.to_be_bytes());
    Ok(out.into())
}

/// Assembles a message behind its own prefix, so that it is sent without another copy.
#[derive(Debug)]
pub struct Encoder {
    out: BytesMut,
    limit: usize,
}

impl Encoder {
    /// An empty message that may grow to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let mut out = BytesMut::new();
        out.put_bytes(0, PREFIX_LENGTH);
        Self { out, limit }
    }

    /// Adds a piece of the content.
    ///
    /// # Errors
    ///
    /// If the message exceeds the limit.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), MessageError> {
        let length = self.content_length() + piece.len();
        if length > self.limit {
            return Err(MessageError::TooLarge {
                length,
                limit: self.limit,
            });
        }
        self.out.extend_from_slice(piece);
        Ok(())
    }

    /// The length of the content.
    #[must_use]
    pub fn content_length(&self) -> usize {
        self.out.len() - PREFIX_LENGTH
    }

    /// Returns the content alone.
    #[must_use]
    pub fn into_content(mut self) -> Bytes {
        self.out.split_off(PREFIX_LENGTH).freeze()
    }

    /// Returns the message with its content plain.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        let length = u32::try_from(self.content_length()).unwrap_or(u32::MAX);
        self.out[1..PREFIX_LENGTH].copy_from_slice(&length.to_be_bytes());
        self.out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &'static [u8]) -> Message {
        Message {
            compressed: false,
            content: Bytes::from_static(content),
        }
    }

    #[test]
    fn messages_do_not_align_with_frames() {
        let bytes = b"\0\0\0\0\x02hi\0\0\0\0\0\x01\0\0\0\x01z";
        for at in 0..bytes.len() {
            let mut decoder = Decoder::new(10);
            let mut messages = Vec::new();
            for piece in [&bytes[..at], &bytes[at..]] {
                decoder.push(Bytes::copy_from_slice(piece));
                while let Some(message) = decoder.decode().unwrap() {
                    messages.push(message);
                }
            }
            let compressed = Message {
                compressed: true,
                content: Bytes::from_static(b"z"),
            };
            assert_eq!(
                messages,
                [message(b"hi"), message(b""), compressed],
                "split at {at}"
            );
            assert_eq!(decoder.finish(), Ok(()));
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_its_prefix() {
        let mut decoder = Decoder::new(2);
        decoder.push(Bytes::from_static(b"\0\0\0\0\x03"));
        assert_eq!(
            decoder.decode(),
            Err(MessageError::TooLarge {
                length: 3,
                limit: 2
            })
        );
    }

    #[test]
    fn unknown_flags_and_an_incomplete_message_are_errors() {
        let mut decoder = Decoder::new(2);
        decoder.push(Bytes::from_static(b"\x02\0\0\0\0"));
        assert_eq!(decoder.decode(), Err(MessageError::Flags(2)));

        let mut decoder = Decoder::new(2);
        decoder.push(Bytes::from_static(b"\0\0\0\0\x02h"));
        assert_eq!(decoder.decode(), Ok(None));
        assert_eq!(decoder.finish(), Err(MessageError::CutShort));
    }

    #[test]
    fn an_encoded_message_decodes() {
        let mut encoder = Encoder::new(5);
        encoder.push(b"he").unwrap();
        encoder.push(b"llo").unwrap();
        assert_eq!(
            encoder.push(b"!"),
            Err(MessageError::TooLarge {
                length: 6,
                limit: 5
            })
        );
        let mut decoder = Decoder::new(100);
        decoder.push(encoder.finish());
        assert_eq!(decoder.decode(), Ok(Some(message(b"hello"))));
        decoder.push(encode_compressed(Encoding::Gzip, b"hello").unwrap());
        let compressed = decoder.decode().unwrap().unwrap();
        assert!(compressed.compressed);
        let content = Encoding::Gzip.decompress(&compressed.content, 5);
        assert_eq!(content.unwrap(), "hello");
    }
}
