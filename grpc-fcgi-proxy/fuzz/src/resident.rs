//! Frames of a resident worker.

use bytes::BytesMut;
use grpc_fcgi_proxy::resident::frame::{Frame, FrameError, HEADER_LENGTH, MAX_PAYLOAD, decode};

use super::splits;

/// Each decoded frame is as BINDING.md has it, however the bytes are split.
pub fn check(input: &[u8]) {
    let (frames, error, mut rest) = decode_all(&[input]);
    for at in splits(input.len()) {
        let (split_frames, split_error, _) = decode_all(&[&input[..at], &input[at..]]);
        assert_eq!(
            (&split_frames, split_error),
            (&frames, error),
            "split at {at}"
        );
    }
    let mut expected = input;
    for frame in &frames {
        expected = &expected[take(expected, frame)..];
    }
    match error {
        Some(_) => assert!(!is_valid(expected)),
        None => {
            assert_eq!(rest.split(), expected);
            assert!(expected.len() < HEADER_LENGTH || expected.len() < length(expected));
        }
    }
}

fn decode_all(pieces: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>, BytesMut) {
    let (mut input, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decode(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error), input),
            }
        }
        let all: usize = pieces.iter().map(|piece| piece.len()).sum();
        assert!(input.capacity() <= 2 * (all + HEADER_LENGTH + MAX_PAYLOAD));
    }
    (frames, None, input)
}

fn payload_length(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
}

/// The length of the frame at the start of these bytes.
fn length(bytes: &[u8]) -> usize {
    HEADER_LENGTH + payload_length(bytes)
}

/// Whether a worker may send a frame that begins so.
fn is_valid(bytes: &[u8]) -> bool {
    let (of_worker, length) = (bytes[4..8] == [0; 4], payload_length(bytes));
    length <= MAX_PAYLOAD
        && match bytes[3] {
            3 | 4 => !of_worker,
            5 => !of_worker && length == 4,
            7 => length > 0 && bytes.get(8).is_none_or(|level| matches!(level, 3 | 4 | 6)),
            8 => of_worker && length == 0,
            9 => of_worker && length == 16,
            10 => length == 0,
            _ => false,
        }
}

/// Checks that these bytes begin with the frame, and returns its length.
fn take(bytes: &[u8], frame: &Frame) -> usize {
    assert!(is_valid(bytes));
    let number = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let payload = &bytes[HEADER_LENGTH..length(bytes)];
    match (bytes[3], frame) {
        (3, Frame::Data(call, content)) | (4, Frame::End(call, content)) => {
            assert_eq!((*call, &content[..]), (number, payload));
        }
        (5, Frame::Credit(call, credit)) => {
            assert_eq!((*call, &credit.to_be_bytes()[..]), (number, payload));
        }
        (7, Frame::Log(call, _, text)) => {
            assert_eq!((*call, &text[..]), (number, &payload[1..]));
        }
        (8, Frame::Retire) => {}
        (10, Frame::Exit(call)) => assert_eq!(*call, number),
        (9, Frame::Status { busy, memory }) => {
            assert_eq!([busy.to_be_bytes(), memory.to_be_bytes()].concat(), payload);
        }
        (kind, frame) => panic!("{frame:?} is not of type {kind}"),
    }
    length(bytes)
}
