//! Finds the blank line between the header fields and the body.

use bytes::{Bytes, BytesMut};

use super::head::{Head, HeadError, MAX_HEAD_LENGTH, parse};

/// How many bytes may follow the longest valid header before it is certain that it is too long: all but the last byte
/// of `LF CR LF`.
const END_LENGTH: usize = 2;

/// Collects the header, however the pieces of STDOUT split it.
#[derive(Debug, Default)]
pub struct HeadDecoder {
    input: BytesMut,
    /// The offset at which the search for the blank line continues.
    searched: usize,
}

impl HeadDecoder {
    /// Adds a piece of STDOUT. Once the blank line has arrived, returns the header and the first piece of the body.
    ///
    /// # Errors
    ///
    /// If the header is malformed or exceeds the limit.
    pub fn push(&mut self, piece: &Bytes) -> Result<Option<(Head, Bytes)>, HeadError> {
        // Usually the first piece holds the whole header, and need not be copied.
        if self.input.is_empty()
            && let Some((end, body)) = find_end(piece, &mut self.searched)
        {
            return finish(&piece[..end], piece.slice(body..)).map(Some);
        }
        self.input.extend_from_slice(piece);
        let Some((end, body)) = find_end(&self.input, &mut self.searched) else {
            return if self.input.len() > MAX_HEAD_LENGTH + END_LENGTH {
                Err(HeadError::HeadTooLong)
            } else {
                Ok(None)
            };
        };
        let head = self.input.split_to(body);
        finish(&head[..end], self.input.split().freeze()).map(Some)
    }
}

fn finish(head: &[u8], body: Bytes) -> Result<(Head, Bytes), HeadError> {
    if head.len() > MAX_HEAD_LENGTH {
        return Err(HeadError::HeadTooLong);
    }
    Ok((parse(head)?, body))
}

/// The end of the last header line, and the start of the body.
fn find_end(input: &[u8], searched: &mut usize) -> Option<(usize, usize)> {
    let mut from = *searched;
    while let Some(at) = input[from..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| from + at)
    {
        match input[at + 1..] {
            [b'\n', ..] => return Some((at, at + 2)),
            [b'\r', b'\n', ..] => return Some((at, at + 3)),
            // The next line may still turn out to be blank.
            [] | [b'\r'] => break,
            _ => from = at + 1,
        }
    }
    *searched = from;
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_wherever_it_is_split() {
        let answer = b"Grpc-Status: 0\r\nX-A: 1\r\n\r\n\r\n\nbody";
        for at in 0..answer.len() {
            let mut decoder = HeadDecoder::default();
            let mut body = Vec::new();
            let mut seen = 0;
            for piece in [&answer[..at], &answer[at..]] {
                if seen > 0 {
                    body.extend_from_slice(piece);
                } else if let Some((head, rest)) =
                    decoder.push(&Bytes::copy_from_slice(piece)).unwrap()
                {
                    assert_eq!(head.metadata["x-a"], "1");
                    seen += 1;
                    body.extend_from_slice(&rest);
                }
            }
            assert_eq!((seen, &body[..]), (1, &b"\r\n\nbody"[..]), "split at {at}");
        }
    }

    #[test]
    fn the_limit_on_the_header_holds_wherever_it_is_split() {
        for (length, passes) in [(MAX_HEAD_LENGTH, true), (MAX_HEAD_LENGTH + 1, false)] {
            // The CR before the line feed counts as part of the header.
            let field = [b"x:", &vec![b'x'; length - 3][..]].concat();
            let head = Bytes::from([&field[..], b"\r\n\r\nbody"].concat());
            for at in length - 10..head.len() {
                let mut decoder = HeadDecoder::default();
                let found = match decoder.push(&head.slice(..at)) {
                    Ok(None) => decoder.push(&head.slice(at..)),
                    found => found,
                };
                match found {
                    Ok(found) => assert!(passes && found.is_some(), "split at {at}"),
                    Err(error) => assert!(!passes && error == HeadError::HeadTooLong),
                }
            }
        }
    }
}
