//! gRPC's codes, by name.

use http::HeaderMap;
use tonic::Code;

/// By code, as they stand in `grpc-status`.
const TEXTS: [&str; 17] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
];

/// The code in `grpc-status`, which must be decimal without a leading zero.
pub(crate) fn code(fields: &HeaderMap) -> Code {
    let status = fields.get("grpc-status").expect("no grpc-status");
    let code = Code::from_bytes(status.as_bytes());
    // from_bytes returns UNKNOWN for an invalid code.
    assert_eq!(status, text(code));
    code
}

/// The metadata that makes `status.php` and `stream_trailers.php` end a call with this code.
pub(crate) fn ending_with(code: Code) -> (&'static str, &'static str) {
    ("x-status", text(code))
}

fn text(code: Code) -> &'static str {
    TEXTS[code as usize]
}
