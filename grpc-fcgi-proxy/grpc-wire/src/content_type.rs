//! Which requests are gRPC.

use http::{HeaderMap, HeaderValue, header};

/// The content type of every response.
pub const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Whether the `content-type` is gRPC's: "application/grpc" [("+proto" / "+json" / {custom})]. For anything else
/// "gRPC servers SHOULD respond with HTTP status of 415 (Unsupported Media Type)".
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let subtype = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    matches!(subtype, Some([] | [b'+' | b';', ..]))
}

/// Whether the messages of a gRPC request are protobuf, as those without a suffix are.
#[must_use]
pub fn is_protobuf(headers: &HeaderMap) -> bool {
    matches!(suffix(headers), None | Some(b"proto"))
}

/// The suffix of a gRPC request's `content-type`, which names the encoding of its messages: `proto`, `json`, …
#[must_use]
pub fn suffix(headers: &HeaderMap) -> Option<&[u8]> {
    let content_type = headers.get(header::CONTENT_TYPE)?;
    let suffix = content_type.as_bytes().strip_prefix(b"application/grpc+")?;
    let name = suffix.split(|byte| *byte == b';').next();
    name.map(<[u8]>::trim_ascii_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_names_the_encoding_of_messages() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc+proto; x=y", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc+json", false),
            ("application/grpc+proto2", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_protobuf(&headers), expected, "{value}");
        }
    }

    #[test]
    fn only_grpc_content_types_pass() {
        let table = [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("", false),
        ];
        for (value, passes) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_grpc(&headers), passes, "{value}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
