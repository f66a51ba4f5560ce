//! The header fields of a Connect request as gRPC's.

use grpc_wire::content_type;
use grpc_wire::encoding::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, NamedEncoding};
use grpc_wire::status::Code;
use grpc_wire::timeout::GRPC_TIMEOUT;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::ConnectError;

const PROTOCOL_VERSION: &str = "connect-protocol-version";
const TIMEOUT: &str = "connect-timeout-ms";
/// "a positive integer … as ASCII string of at most 10 digits".
const MAX_TIMEOUT_DIGITS: usize = 10;
/// Of a grpc-timeout.
const MAX_MILLISECONDS: u64 = 99_999_999;

/// Translates the fields. `encoding` and `accepted` name those that Connect has for compression. Returns how the messages
/// of the request are compressed; of JSON, gRPC is not told, since it is decompressed first.
pub(super) fn translate(
    fields: &mut HeaderMap,
    encoding: &HeaderName,
    accepted: &HeaderName,
    is_json: bool,
) -> Result<NamedEncoding, ConnectError> {
    let name = fields.remove(encoding);
    let named = NamedEncoding::read(name.as_ref().map(HeaderValue::as_bytes));
    if named == NamedEncoding::Unsupported {
        let text = format!("{encoding}: only identity, gzip and zstd are supported");
        return Err(ConnectError::new(Code::Unimplemented, text));
    }
    if let Some(name) = name
        && !is_json
    {
        fields.insert(GRPC_ENCODING, name);
    }
    if let Some(accepted) = fields.remove(accepted).and_then(without_weights) {
        fields.insert(GRPC_ACCEPT_ENCODING, accepted);
    }
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

/// The names that are accepted: gRPC knows no weights (RFC 9110, section 12.4.2).
fn without_weights(accepted: HeaderValue) -> Option<HeaderValue> {
    let names = accepted.to_str().ok()?.split(',');
    let names = names.filter(|name| !name.replace(' ', "").ends_with(";q=0"));
    let names: Vec<_> = names.filter_map(|name| name.split(';').next()).collect();
    HeaderValue::from_str(&names.join(",")).ok()
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
