//! The compression that HTTP's header fields name, as gRPC's.

use grpc_wire::encoding::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, NamedEncoding};
use grpc_wire::status::{Code, Status};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Translates the fields of a request. `encoding` and `accepted` are the names of those for compression. Returns how the
/// request is compressed; gRPC is told unless the message is `translated`, and so decompressed first.
pub(super) fn translate(
    fields: &mut HeaderMap,
    encoding: &HeaderName,
    accepted: &HeaderName,
    translated: bool,
) -> Result<NamedEncoding, Status> {
    // Those of gRPC itself say nothing here.
    fields.remove(GRPC_ENCODING);
    fields.remove(GRPC_ACCEPT_ENCODING);
    let name = fields.remove(encoding);
    let named = NamedEncoding::read(name.as_ref().map(HeaderValue::as_bytes));
    if named == NamedEncoding::Unsupported {
        let text = format!("{encoding}: only identity, gzip and zstd are supported");
        return Err(Status {
            message: text.into(),
            ..Status::new(Code::Unimplemented, "")
        });
    }
    if let Some(name) = name
        && !translated
    {
        fields.insert(GRPC_ENCODING, name);
    }
    if let Some(accepted) = fields.remove(accepted).and_then(without_weights) {
        fields.insert(GRPC_ACCEPT_ENCODING, accepted);
    }
    Ok(named)
}

/// The names that are accepted: gRPC knows no weights (RFC 9110, section 12.4.2).
fn without_weights(accepted: HeaderValue) -> Option<HeaderValue> {
    let names = accepted.to_str().ok()?.split(',');
    let names = names.filter(|name| !name.replace(' ', "").ends_with(";q=0"));
    let names: Vec<_> = names.filter_map(|name| name.split(';').next()).collect();
    HeaderValue::from_str(&names.join(",")).ok()
}
