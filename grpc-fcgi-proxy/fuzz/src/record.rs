//! Records of an application.

use bytes::BytesMut;
use grpc_fcgi_proxy::fastcgi::record::{HEADER_LENGTH, Record, RecordError, decode};

use super::splits;

const MAX_RECORD: usize = HEADER_LENGTH + 65_535 + 255;

/// Each decoded record is as the specification has it, however the bytes are split.
pub fn check(input: &[u8]) {
    let (records, error, mut rest) = decode_all(&[input]);
    for at in splits(input.len()) {
        let (split_records, split_error, _) = decode_all(&[&input[..at], &input[at..]]);
        assert_eq!(
            (&split_records, split_error),
            (&records, error),
            "split at {at}"
        );
    }
    let mut expected = input;
    for record in &records {
        expected = &expected[take(expected, record)..];
    }
    match error {
        Some(_) => assert!(!may_begin(&expected[..HEADER_LENGTH]) || is_refusal(expected)),
        None => {
            assert_eq!(rest.split(), expected);
            assert!(expected.len() < HEADER_LENGTH || expected.len() < length(expected));
        }
    }
}

fn decode_all(pieces: &[&[u8]]) -> (Vec<Record>, Option<RecordError>, BytesMut) {
    let (mut input, mut records) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decode(&mut input) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(error) => return (records, Some(error), input),
            }
        }
        assert!(input.capacity() <= 2 * (pieces.concat().len() + MAX_RECORD));
    }
    (records, None, input)
}

/// The length of the record at the start of these bytes.
fn length(bytes: &[u8]) -> usize {
    HEADER_LENGTH + content_length(bytes) + usize::from(bytes[6])
}

fn content_length(bytes: &[u8]) -> usize {
    usize::from(bytes[4]) << 8 | usize::from(bytes[5])
}

/// Version 1, END_REQUEST, STDOUT or STDERR, of request 1.
fn may_begin(header: &[u8]) -> bool {
    header[0] == 1
        && header[2..4] == [0, 1]
        && (matches!(header[1], 6 | 7) || header[1] == 3 && content_length(header) == 8)
}

/// END_REQUEST with another protocolStatus than FCGI_REQUEST_COMPLETE.
fn is_refusal(bytes: &[u8]) -> bool {
    bytes[1] == 3 && bytes.get(12).is_some_and(|status| *status != 0)
}

/// Checks that these bytes begin with the record, and returns its length.
fn take(bytes: &[u8], record: &Record) -> usize {
    assert!(may_begin(bytes) && !is_refusal(bytes));
    let content = &bytes[HEADER_LENGTH..HEADER_LENGTH + content_length(bytes)];
    match (bytes[1], record) {
        (6, Record::Stdout(found)) | (7, Record::Stderr(found)) => assert_eq!(found, content),
        (3, Record::EndRequest) => {}
        (kind, record) => panic!("{record:?} is not of type {kind}"),
    }
    length(bytes)
}
