//! Passes a client's header fields to PHP: as `HTTP_` variables, through the one filter, and as GRPC_METADATA.

use std::borrow::Cow;

use grpc_wire::metadata;
use http::{HeaderMap, HeaderName, header};

use super::sink::Sink;

/// One metadata entry per line, `key: value`. No value can contain a line feed.
pub(super) fn metadata_list(headers: &HeaderMap) -> Vec<u8> {
    let mut list = Vec::with_capacity(256);
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| metadata::is_request_metadata(name.as_str()))
    {
        for part in metadata::values(name.as_str(), value.as_bytes()) {
            list.extend_from_slice(name.as_str().as_bytes());
            list.extend_from_slice(b": ");
            list.extend_from_slice(part);
            list.push(b'\n');
        }
    }
    list
}

/// RFC 3875, section 4.1.18. Several values of a key are joined, as in RFC 9110, section 5.3.
pub(super) fn write_fields<S: Sink>(
    headers: &HeaderMap,
    except: &[HeaderName],
    sink: &mut S,
) -> Result<(), S::Error> {
    let mut variable = Vec::with_capacity(64);
    // The values of a key are adjacent.
    let mut fields = headers.iter().peekable();
    while let Some((name, value)) = fields.next() {
        let mut value = Cow::Borrowed(value.as_bytes());
        while let Some((_, next)) = fields.next_if(|(next, _)| *next == name) {
            let joined = value.to_mut();
            joined.extend_from_slice(separator(name));
            joined.extend_from_slice(next.as_bytes());
        }
        if becomes_variable(name) && !except.contains(name) {
            write_name(name, &mut variable);
            sink.push(&variable, &value)?;
        }
    }
    Ok(())
}

/// RFC 9113, section 8.2.3: several cookie fields "MUST be concatenated [...] using the two-octet delimiter of 0x3b, 0x20".
fn separator(field: &HeaderName) -> &'static [u8] {
    if *field == header::COOKIE {
        b"; "
    } else {
        b", "
    }
}

fn write_name(field: &HeaderName, variable: &mut Vec<u8>) {
    variable.clear();
    variable.extend_from_slice(b"HTTP_");
    variable.extend_from_slice(field.as_str().as_bytes());
    for byte in &mut variable["HTTP_".len()..] {
        *byte = match *byte {
            b'-' => b'_',
            byte => byte.to_ascii_uppercase(),
        };
    }
}

/// The one filter on the variables that a client may set.
///
/// A key with `_` or `.` could forge another one: `a_b` and `a-b` are both HTTP_A_B. HTTP_PROXY would redirect the
/// application's own HTTP clients (httpoxy). HTTP_HOST is the authority.
fn becomes_variable(field: &HeaderName) -> bool {
    let name = field.as_str();
    !matches!(name, "host" | "proxy")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
