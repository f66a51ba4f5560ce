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

/// gRPC knows no weights.
fn without_weights(accepted: HeaderValue) -> Option<HeaderValue> {
    let names: Vec<_> = accepted_names(&accepted).collect();
    HeaderValue::from_str(&names.join(",")).ok()
}

/// What the list of a field Accept or Accept-Encoding names with a weight above zero (RFC 9110, section 12.4.2).
pub(super) fn accepted_names(list: &HeaderValue) -> impl Iterator<Item = &str> {
    let items = list.to_str().unwrap_or_default().split(',');
    items.filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next()?;
        let mut weights =
            parts.filter_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let refused = weights.any(|weight| weight.parse() == Ok(0.0_f32));
        (!refused).then_some(name)
    })
}
