//! Messages: the frames of a streaming call, and the single message of a unary one.

use std::collections::VecDeque;

use bytes::Bytes;
use grpc_wire::frame::{FrameScanner, Piece};
use grpc_wire::message::{Decoder, Message, MessageError};

use super::splits;

const LIMIT: usize = 300;
/// Accepted besides those of messages.
const FLAGS: &[u8] = &[0x40, 0x80];

/// Only PROTOCOL-HTTP2's Length-Prefixed-Message is accepted, however the bytes are split.
pub fn check(input: &[u8]) {
    let (scanned, decoded) = (scan(&[input]), decode(&[input]));
    for at in splits(input.len()) {
        let pieces = [&input[..at], &input[at..]];
        assert_eq!(scan(&pieces), scanned, "split at {at}");
        assert_eq!(decode(&pieces), decoded, "split at {at}");
    }
    let expected = frames(input);
    assert_eq!(scanned, expected);
    // A unary call accepts no other flags.
    match expected {
        Ok(frames) if frames.iter().all(|(flags, _)| *flags <= 1) => {
            assert_eq!(decoded, Ok(frames))
        }
        _ => assert!(decoded.is_err()),
    }
}

type Frames = Vec<(u8, Vec<u8>)>;

/// Decodes frame by frame.
fn frames(mut input: &[u8]) -> Result<Frames, MessageError> {
    let mut frames = Frames::new();
    while let Some((&[flags, a, b, c, d], rest)) = input.split_first_chunk() {
        if flags > 1 && !FLAGS.contains(&flags) {
            return Err(MessageError::Flags(flags));
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
        if length > LIMIT {
            return Err(MessageError::TooLarge {
                length,
                limit: LIMIT,
            });
        }
        let content = rest.get(..length).ok_or(MessageError::CutShort)?;
        frames.push((flags, content.to_vec()));
        input = &rest[length..];
    }
    if input.is_empty() {
        Ok(frames)
    } else {
        Err(MessageError::CutShort)
    }
}

/// Joins the scanner's pieces, and decodes the frames again.
fn scan(pieces: &[&[u8]]) -> Result<Frames, MessageError> {
    let mut scanner = FrameScanner::with_flags(LIMIT, FLAGS);
    let mut out = VecDeque::new();
    for piece in pieces {
        scanner.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    scanner.finish()?;
    let mut bytes = Vec::new();
    for piece in out {
        match piece {
            Piece::Plain(plain) => bytes.extend_from_slice(&plain),
            Piece::Flagged(flags, content) => {
                assert_ne!(flags, 0);
                bytes.push(flags);
                bytes.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
                bytes.extend_from_slice(&content);
            }
        }
    }
    let frames = frames(&bytes)?;
    let messages = frames.iter().filter(|(flags, _)| *flags <= 1).count();
    assert_eq!(scanner.messages(), u64::try_from(messages).unwrap());
    Ok(frames)
}

fn decode(pieces: &[&[u8]]) -> Result<Frames, MessageError> {
    let mut decoder = Decoder::new(LIMIT);
    let mut messages = Frames::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Some(Message {
            compressed,
            content,
        }) = decoder.decode()?
        {
            messages.push((compressed.into(), content.to_vec()));
        }
    }
    decoder.finish().map(|()| messages)
}
