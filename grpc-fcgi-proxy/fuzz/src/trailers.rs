//! The trailers frame of a streaming call.

use grpc_fcgi_proxy::binding::head::{MAX_HEAD_LENGTH, parse_trailers};

use super::{head, metadata};

/// Accepted trailers contain a status, and all metadata is valid in gRPC.
pub fn check(input: &[u8]) {
    if let Ok(trailers) = parse_trailers(input) {
        let text = input.to_ascii_lowercase();
        assert!(text.windows(12).any(|bytes| bytes == b"grpc-status:"));
        assert!(input.len() <= MAX_HEAD_LENGTH);
        metadata::check_all(&trailers.metadata);
        head::check_status(&trailers.status);
    }
}
