//! Metadata in an application's answer.

use grpc_wire::metadata::{RETRY_PUSHBACK, append, normalize_base64};
use http::HeaderMap;

const PROTOCOL: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "status",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The input is a line with the key, and then the value: it is accepted as a whole, and only if it is valid in gRPC.
pub fn check(input: &[u8]) {
    let end = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    let name = String::from_utf8_lossy(&input[..end]).to_ascii_lowercase();
    let value = input.get(end + 1..).unwrap_or_default();
    let mut metadata = HeaderMap::new();
    let accepted = append(&mut metadata, &name, value).is_ok();
    if name.ends_with("-bin") {
        let parts: Vec<_> = value
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .collect();
        let valid = parts.iter().all(|part| normalize_base64(part).is_ok());
        assert_eq!(accepted, is_key(&name) && valid);
        assert_eq!(metadata.len(), if accepted { parts.len() } else { 0 });
    } else {
        assert_eq!(accepted, is_key(&name) && is_ascii_value(value));
        assert_eq!(
            metadata
                .values()
                .map(|value| value.as_bytes())
                .collect::<Vec<_>>(),
            [value].repeat(accepted.into())
        );
    }
    check_all(&metadata);
}

/// All of it is PROTOCOL-HTTP2's Custom-Metadata, or the pushback of gRFC A6.
pub(super) fn check_all(metadata: &HeaderMap) {
    for (name, value) in metadata {
        assert!(is_key(name.as_str()) || *name == RETRY_PUSHBACK, "{name}");
        if name.as_str().ends_with("-bin") {
            // "Implementations … should emit un-padded values."
            assert_eq!(normalize_base64(value.as_bytes()).as_ref(), Ok(value));
            assert!(!value.as_bytes().contains(&b'='));
        } else {
            assert!(is_ascii_value(value.as_bytes()), "{value:?}");
        }
    }
}

fn is_key(name: &str) -> bool {
    let letters = "0123456789abcdefghijklmnopqrstuvwxyz_.-";
    !name.is_empty()
        && name.chars().all(|c| letters.contains(c))
        && !name.starts_with("grpc-")
        && !PROTOCOL.contains(&name)
}

fn is_ascii_value(value: &[u8]) -> bool {
    value.iter().all(|byte| (b' '..=b'~').contains(byte))
}
