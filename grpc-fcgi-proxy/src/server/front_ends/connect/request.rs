//! The header fields of a Connect request as gRPC's.

use grpc_wire::content_type;
use grpc_wire::encoding::NamedEncoding;
use grpc_wire::status::Code;
use grpc_wire::timeout::GRPC_TIMEOUT;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::ConnectError;
use crate::server::front_ends::encoding;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");
/// "a positive integer … as ASCII string of at most 10 digits".
const MAX_TIMEOUT_DIGITS: usize = 10;
/// Of a grpc-timeout.
const MAX_MILLISECONDS: u64 = 99_999_999;

/// Translates the fields. `encoding` and `accepted` are the names of those for compression. Returns how the request is
/// compressed.
pub(super) fn translate(
    fields: &mut HeaderMap,
    encoding: &HeaderName,
    accepted: &HeaderName,
    is_json: bool,
) -> Result<NamedEncoding, ConnectError> {
    let named = encoding::translate(fields, encoding, accepted, is_json)?;
    if let Some(version) = fields.remove(PROTOCOL_VERSION)
        && version != "1"
    {
        return Err(invalid("connect-protocol-version is not 1"));
    }
    if let Some(timeout) = fields.remove(TIMEOUT) {
        let timeout = grpc_timeout(timeout.as_bytes())
            .ok_or_else(|| invalid("connect-timeout-ms is not 1 to 10 digits"))?;
        fields.insert(GRPC_TIMEOUT, timeout);
    }
    fields.remove(header::CONTENT_LENGTH);
    fields.insert(header::CONTENT_TYPE, content_type::GRPC);
    Ok(named)
}

fn invalid(text: &str) -> ConnectError {
    ConnectError::new(Code::InvalidArgument, text)
}

fn grpc_timeout(value: &[u8]) -> Option<HeaderValue> {
    if value.is_empty() || value.len() > MAX_TIMEOUT_DIGITS || !value.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let milliseconds: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    let timeout = match milliseconds {
        0..=MAX_MILLISECONDS => format!("{milliseconds}m"),
        _ => format!("{}S", milliseconds / 1000),
    };
    HeaderValue::from_str(&timeout).ok()
}
