//! The header fields of an answer.

use bytes::Bytes;
use grpc_fcgi_proxy::binding::head::{Head, HeadError, MAX_HEAD_LENGTH};
use grpc_fcgi_proxy::binding::head_decoder::HeadDecoder;
use grpc_wire::status::{GRPC_MESSAGE, Status, decode_message};
use http::HeaderMap;

use super::{metadata, splits};

/// The result does not depend on how the bytes are split, the body is the rest of them, and all metadata is valid in
/// gRPC.
pub fn check(input: &[u8]) {
    let whole = decode(&[input]);
    for at in splits(input.len()) {
        let split = decode(&[&input[..at], &input[at..]]);
        assert_eq!(format!("{split:?}"), format!("{whole:?}"), "split at {at}");
    }
    if let Ok(Some((head, body))) = whole {
        assert!(input.ends_with(&body) && input.len() - body.len() <= MAX_HEAD_LENGTH + 3);
        metadata::check_all(&head.metadata);
        metadata::check_all(&head.trailers);
        if let Some(status) = &head.status {
            check_status(status);
        }
    }
}

/// The message survives its encoding.
pub(super) fn check_status(status: &Status) {
    let mut fields = HeaderMap::new();
    status.write(&mut fields);
    let message = fields
        .get(GRPC_MESSAGE)
        .map_or(&b""[..], |value| value.as_bytes());
    assert!(message.iter().all(|byte| (b' '..=b'~').contains(byte)));
    assert_eq!(decode_message(message), status.message);
}

fn decode(pieces: &[&[u8]]) -> Result<Option<(Head, Vec<u8>)>, HeadError> {
    let mut decoder = HeadDecoder::default();
    let mut found: Option<(Head, Vec<u8>)> = None;
    for piece in pieces {
        match &mut found {
            Some((_, body)) => body.extend_from_slice(piece),
            None => {
                found = decoder
                    .push(&Bytes::copy_from_slice(piece))?
                    .map(|(head, body)| (head, body.to_vec()));
            }
        }
    }
    Ok(found)
}
