//! The answer to a unary call.

use bytes::Bytes;

/// A message up to this size gets the fixed answer; a larger one is echoed.
const SMALL: usize = 64;
/// With the header fields it makes 71 bytes of output.
const FIXED: &[u8] = b"\x0a\x23an answer of always the same size..";
pub(super) const HEAD: &[u8] = b"Content-Type: application/grpc\r\n\r\n";

/// The message that answers this one.
pub(crate) fn answer(message: Bytes) -> Bytes {
    if message.len() <= SMALL {
        Bytes::from_static(FIXED)
    } else {
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_answer_is_71_bytes_with_a_valid_message() {
        assert_eq!(HEAD.len() + FIXED.len(), 71);
        let decoded: Bytes = prost::Message::decode(answer(Bytes::from_static(b"\x0a\0"))).unwrap();
        assert_eq!(decoded.len(), FIXED.len() - 2);
    }

    #[test]
    fn a_large_message_is_echoed() {
        let message = Bytes::from(vec![1; SMALL + 1]);
        assert_eq!(answer(message.clone()), message);
    }
}
