//! Splits a stream of length-prefixed frames: gRPC's messages, and frames with other flags.
//!
//! A plain message passes piece by piece, as it arrives; a frame with flags is collected first.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::message::{COMPRESSED, MessageError, PREFIX_LENGTH};

/// A part of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of messages without flags: prefixes and contents.
    Plain(Bytes),
    /// A whole frame with flags.
    Flagged(u8, Bytes),
}

/// Splits the stream into pieces, wherever the input is split.
#[derive(Debug)]
pub struct FrameScanner {
    limit: usize,
    /// Flags besides those of messages.
    flags: &'static [u8],
    /// The first bytes of an incomplete prefix.
    prefix: BytesMut,
    /// How many bytes of the frame's content have not arrived yet.
    left: usize,
    /// The frame with flags that is being collected.
    flagged: Option<(u8, BytesMut)>,
    messages: u64,
}

impl FrameScanner {
    /// Accepts messages of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::with_flags(limit, &[])
    }

    /// Accepts frames with these flags as well. A prefix alone is enough to refuse a frame.
    #[must_use]
    pub fn with_flags(limit: usize, flags: &'static [u8]) -> Self {
        Self {
            limit,
            flags,
            prefix: BytesMut::new(),
            left: 0,
            flagged: None,
            messages: 0,
        }
    }

    /// How many messages have begun. Frames with other flags do not count.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Splits the next bytes.
    ///
    /// # Errors
    ///
    /// If a frame exceeds the limit, or has other flags.
    pub fn push(
        &mut self,
        mut bytes: Bytes,
        out: &mut VecDeque<Piece>,
    ) -> Result<(), MessageError> {
        while !bytes.is_empty() {
            if self.flagged.is_some() {
                self.collect(&mut bytes, out);
                continue;
            }
            let run = self.plain_run(&bytes)?;
            if run > 0 {
                out.push_back(Piece::Plain(bytes.split_to(run)));
            }
            self.take_prefix(&mut bytes, out)?;
        }
        Ok(())
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    ///
    /// If a frame is incomplete.
    pub fn finish(&self) -> Result<(), MessageError> {
        if self.prefix.is_empty() && self.left == 0 && self.flagged.is_none() {
            Ok(())
        } else {
            Err(MessageError::CutShort)
        }
    }

    /// How many of the bytes belong to plain messages with complete prefixes.
    fn plain_run(&mut self, bytes: &[u8]) -> Result<usize, MessageError> {
        let mut run = 0;
        loop {
            let content = self.left.min(bytes.len() - run);
            run += content;
            self.left -= content;
            if self.left > 0 || !self.prefix.is_empty() {
                return Ok(run);
            }
            match bytes[run..].first_chunk::<PREFIX_LENGTH>() {
                Some(prefix @ [0, ..]) => {
                    self.left = self.begin(*prefix)?;
                    run += PREFIX_LENGTH;
                }
                _ => return Ok(run),
            }
        }
    }

    /// Completes a prefix that is split, or has flags.
    fn take_prefix(
        &mut self,
        bytes: &mut Bytes,
        out: &mut VecDeque<Piece>,
    ) -> Result<(), MessageError> {
        if self.left > 0 {
            return Ok(());
        }
        let missing = PREFIX_LENGTH - self.prefix.len();
        self.prefix
            .extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
        let Some(prefix) = self.prefix.first_chunk::<PREFIX_LENGTH>().copied() else {
            return Ok(());
        };
        // Before the length, which means nothing if this is no frame at all. Flags of 0 are not checked for each message.
        if prefix[0] > COMPRESSED && !self.flags.contains(&prefix[0]) {
            return Err(MessageError::Flags(prefix[0]));
        }
        let content = self.begin(prefix)?;
        let prefix_bytes = self.prefix.split().freeze();
        match prefix[0] {
            0 => {
                self.left = content;
                out.push_back(Piece::Plain(prefix_bytes));
            }
            flags if content == 0 => out.push_back(Piece::Flagged(flags, Bytes::new())),
            flags => {
                self.left = content;
                self.flagged = Some((flags, BytesMut::new()));
            }
        }
        Ok(())
    }

    fn begin(&mut self, prefix: [u8; PREFIX_LENGTH]) -> Result<usize, MessageError> {
        let [flags, a, b, c, d] = prefix;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(MessageError::TooLarge {
                length,
                limit: self.limit,
            });
        }
        self.messages += u64::from(flags <= COMPRESSED);
        Ok(length)
    }

    fn collect(&mut self, bytes: &mut Bytes, out: &mut VecDeque<Piece>) {
        let count = self.left.min(bytes.remaining());
        self.left -= count;
        if let Some((flags, mut content)) = self.flagged.take() {
            content.extend_from_slice(&bytes.split_to(count));
            if self.left > 0 {
                self.flagged = Some((flags, content));
            } else {
                out.push_back(Piece::Flagged(flags, content.freeze()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Flagged = Vec<(u8, Vec<u8>)>;

    fn scan(pieces: &[&[u8]]) -> (Vec<u8>, Flagged, FrameScanner) {
        let mut scanner = FrameScanner::with_flags(1000, &[0x40, 0x80]);
        let mut out = VecDeque::new();
        for piece in pieces {
            scanner
                .push(Bytes::copy_from_slice(piece), &mut out)
                .unwrap();
        }
        let (mut plain, mut flagged) = (Vec::new(), Vec::new());
        for piece in out {
            match piece {
                Piece::Plain(bytes) => plain.extend_from_slice(&bytes),
                Piece::Flagged(flags, content) => flagged.push((flags, content.to_vec())),
            }
        }
        (plain, flagged, scanner)
    }

    #[test]
    fn plain_messages_pass_and_others_are_collected_wherever_they_are_split() {
        let plain = b"\0\0\0\0\x03one\0\0\0\0\0";
        let more = b"\0\0\0\0\x04more";
        let bytes = [
            &plain[..],
            b"\x01\0\0\0\x02zz\x40\0\0\0\0",
            more,
            b"\x80\0\0\0\x03a:b",
        ]
        .concat();
        for at in 0..bytes.len() {
            for then in at..bytes.len() {
                let (passed, flagged, scanner) =
                    scan(&[&bytes[..at], &bytes[at..then], &bytes[then..]]);
                assert_eq!(
                    passed,
                    [&plain[..], more].concat(),
                    "split at {at} and {then}"
                );
                let expected = [(1, b"zz".to_vec()), (0x40, vec![]), (0x80, b"a:b".to_vec())];
                assert_eq!(flagged, expected);
                assert_eq!((scanner.messages(), scanner.finish()), (4, Ok(())));
            }
        }
    }

    #[test]
    fn a_run_of_messages_is_one_piece() {
        let mut out = VecDeque::new();
        let bytes = Bytes::from_static(b"\0\0\0\0\x01a\0\0\0\0\x01b");
        FrameScanner::new(10).push(bytes.clone(), &mut out).unwrap();
        assert_eq!(out, [Piece::Plain(bytes)]);
    }

    #[test]
    fn text_is_refused_by_its_first_byte_not_by_its_length() {
        let mut scanner = FrameScanner::with_flags(10, &[0x40, 0x80]);
        let error = scanner.push(Bytes::from_static(b"\nWarning: x"), &mut VecDeque::new());
        assert_eq!(error, Err(MessageError::Flags(b'\n')));
        let mut scanner = FrameScanner::new(10);
        let error = scanner.push(Bytes::from_static(b"\x80\0\0\0\0"), &mut VecDeque::new());
        assert_eq!(error, Err(MessageError::Flags(0x80)));
    }

    #[test]
    fn a_frame_over_the_limit_and_an_incomplete_frame_are_errors() {
        let mut scanner = FrameScanner::new(2);
        let error = scanner.push(Bytes::from_static(b"\0\0\0\0\x03"), &mut VecDeque::new());
        assert_eq!(
            error,
            Err(MessageError::TooLarge {
                length: 3,
                limit: 2
            })
        );
        for half in [&b"\0"[..], b"\0\0\0\0\x02a", b"\x80\0\0\0\x02a"] {
            assert_eq!(scan(&[half]).2.finish(), Err(MessageError::CutShort));
        }
    }
}
