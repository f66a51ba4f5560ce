//! The header fields of a Connect request as gRPC's.

use grpc_wire::content_type;
use grpc_wire::encoding::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, NamedEncoding};
use grpc_wire::timeout::GRPC_TIMEOUT;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::ConnectError;

const PROTOCOL_VERSION: &str = "connect-protocol-version";
const TIMEOUT: &str = "connect-timeout-ms";
/// "a positive integer … as ASCII string of at most 10 digits".
const MAX_TIMEOUT_DIGITS: usize = 10;
/// Of a grpc-timeout.
const MAX_MILLISECONDS: u64 = 99_999_999;

/// The compression of the request, and what the client accepts.
pub(super) struct Encodings {
    pub(super) request: NamedEncoding,
    request_name: Option<HeaderValue>,
    accepted: Option<HeaderValue>,
}

impl Encodings {
    /// Takes the fields that name them.
    pub(super) fn take(
        fields: &mut HeaderMap,
        request: &HeaderName,
        accepted: &HeaderName,
    ) -> Self {
        let request_name = fields.remove(request);
        Self {
            request: NamedEncoding::read(request_name.as_ref().map(HeaderValue::as_bytes)),
            request_name,
            accepted: fields.remove(accepted),
        }
    }

    /// Says the same as gRPC does.
    pub(super) fn write(self, fields: &mut HeaderMap, is_plain: bool) {
        if let Some(name) = self.request_name
            && !is_plain
        {
            fields.insert(GRPC_ENCODING, name);
        }
        if let Some(accepted) = self.accepted {
            // gRPC knows no weights.
            let names = accepted.to_str().unwrap_or_default().split(',');
            let names = names.filter(|name| !name.replace(' ', "").ends_with(";q=0"));
            let names: Vec<_> = names.filter_map(|name| name.split(';').next()).collect();
            if let Ok(names) = HeaderValue::from_str(&names.join(",")) {
                fields.insert(GRPC_ACCEPT_ENCODING, names);
            }
        }
    }
}

/// Translates the fields that are the same for all forms of a request.
pub(super) fn translate(fields: &mut HeaderMap) -> Result<(), ConnectError> {
    if let Some(version) = fields.remove(PROTOCOL_VERSION)
        && version != "1"
    {
        return Err(ConnectError::invalid_argument(
            "connect-protocol-version is not 1",
        ));
    }
    if let Some(timeout) = fields.remove(TIMEOUT) {
        let timeout = grpc_timeout(timeout.as_bytes()).ok_or_else(|| {
            ConnectError::invalid_argument("connect-timeout-ms is not 1 to 10 digits")
        })?;
        fields.insert(GRPC_TIMEOUT, timeout);
    }
    fields.remove(header::CONTENT_LENGTH);
    fields.insert(header::CONTENT_TYPE, content_type::GRPC);
    Ok(())
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
