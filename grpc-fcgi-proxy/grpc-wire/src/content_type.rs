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

#[cfg(test)]
mod tests {
    use super::*;

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
