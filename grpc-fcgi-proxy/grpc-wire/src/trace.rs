//! How a request is named in logs: its id, and the id of its trace.

use http::{HeaderMap, HeaderName};

/// Names a request in every log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id in a log, in bytes.
const MAX_ID: usize = 128;

/// The client's `x-request-id`, truncated to the maximum length. One that is not printable ASCII is ignored: gRPC does not
/// allow it as metadata.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    text(headers, REQUEST_ID.as_str())
        .filter(|id| !id.is_empty())
        .map(bounded)
}

/// The id of the client's trace, truncated to the maximum length: from `traceparent`
/// ([W3C Trace Context](https://www.w3.org/TR/trace-context/): version "-" trace-id "-" ...), or else from the header
/// fields of [B3](https://github.com/openzipkin/b3-propagation), in the form of one field or of several.
#[must_use]
pub fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let w3c = || text(headers, "traceparent")?.split('-').nth(1);
    let b3 = || {
        let (trace, _) = text(headers, "b3")?.split_once('-')?;
        Some(trace)
    };
    w3c()
        .or_else(|| text(headers, "x-b3-traceid"))
        .or_else(b3)
        .map(bounded)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn bounded(id: &str) -> &str {
    &id[..id.floor_char_boundary(MAX_ID)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_request_id_is_bounded() {
        let long = "x".repeat(1000);
        for (value, expected) in [
            ("abc", Some("abc")),
            ("", None),
            ("\u{e9}", None),
            (&long, Some(&long[..128])),
        ] {
            assert_eq!(request_id(&headers("x-request-id", value)), expected);
        }
        assert_eq!(request_id(&HeaderMap::new()), None);
    }

    #[test]
    fn the_trace_id_is_found_in_each_format_and_bounded() {
        let long = "x".repeat(1000);
        for (name, value, expected) in [
            ("traceparent", "00-abc-def-01", Some("abc")),
            ("x-b3-traceid", "abc", Some("abc")),
            ("b3", "abc-def-1", Some("abc")),
            ("b3", "0", None),
            ("traceparent", "", None),
            ("x-b3-traceid", &long, Some(&long[..MAX_ID])),
        ] {
            assert_eq!(trace_id(&headers(name, value)), expected, "{name}: {value}");
        }
    }
}
