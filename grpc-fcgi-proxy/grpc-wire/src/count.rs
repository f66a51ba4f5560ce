//! Counts the messages of a body while another part of the program reads it.

use crate::message::{MessageError, PREFIX_LENGTH};

/// Follows the prefixes of a stream of messages without keeping their content.
#[derive(Debug)]
pub struct MessageCounter {
    limit: usize,
    prefix: [u8; PREFIX_LENGTH],
    /// How many bytes of the prefix have arrived.
    filled: usize,
    /// How many bytes of the content have not arrived yet.
    left: usize,
}

impl MessageCounter {
    /// A counter that refuses a message of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            prefix: [0; PREFIX_LENGTH],
            filled: 0,
            left: 0,
        }
    }

    /// Follows the next bytes, and returns how many messages begin in them: a message begins with the last byte of its
    /// prefix.
    ///
    /// # Errors
    ///
    /// If a message exceeds the limit.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<u64, MessageError> {
        let mut begun = 0;
        loop {
            let content = self.left.min(bytes.len());
            self.left -= content;
            bytes = &bytes[content..];
            if bytes.is_empty() {
                return Ok(begun);
            }
            let (prefix, rest) = bytes.split_at(bytes.len().min(PREFIX_LENGTH - self.filled));
            self.prefix[self.filled..self.filled + prefix.len()].copy_from_slice(prefix);
            self.filled += prefix.len();
            bytes = rest;
            if self.filled == PREFIX_LENGTH {
                self.left = self.length()?;
                self.filled = 0;
                begun += 1;
            }
        }
    }

    fn length(&self) -> Result<usize, MessageError> {
        let [_, a, b, c, d] = self.prefix;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(MessageError::TooLarge {
                length,
                limit: self.limit,
            });
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_the_stream_is_split() {
        let stream = [
            [0, 0, 0, 0, 3].as_slice(),
            b"abc",
            &[0, 0, 0, 0, 0],
            &[1, 0, 0, 1, 4],
            &[7; 260],
        ]
        .concat();
        for size in 1..=stream.len() {
            let mut counter = MessageCounter::new(260);
            let count: u64 = stream
                .chunks(size)
                .map(|piece| counter.push(piece).unwrap())
                .sum();
            assert_eq!(count, 3, "in pieces of {size} bytes");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_its_prefix() {
        let mut counter = MessageCounter::new(2);
        assert_eq!(counter.push(b"\0\0\0\0"), Ok(0));
        let error = MessageError::TooLarge {
            length: 3,
            limit: 2,
        };
        assert_eq!(counter.push(b"\x03"), Err(error));
    }
}
