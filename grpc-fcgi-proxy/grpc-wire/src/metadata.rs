//! Which header fields are metadata, and what their values may be.
//!
//! PROTOCOL-HTTP2, "Custom-Metadata", from the client and from the application.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};

/// "Implementations MUST accept padded and un-padded values and should emit un-padded values."
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a server delays or forbids a retry, in the trailers (gRFC A6). The one reserved key that an application sets itself.
pub const RETRY_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// The retries before a call (gRFC A6). The one reserved key that an application reads itself.
const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";

/// The metadata exceeds the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata has {length} bytes, over the limit of {limit}")]
pub struct MetadataTooLarge {
    /// The size in bytes.
    pub length: usize,
    /// The limit in bytes.
    pub limit: usize,
}

/// Whether a header field is metadata: its name is made of `[0-9a-z_.-]`, and gRPC and HTTP do not reserve it.
#[must_use]
pub fn is_metadata(name: &str) -> bool {
    !name.starts_with("grpc-")
        && !is_protocol(name)
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'.' | b'-'))
}

/// Whether a header field of a request is for the application.
#[must_use]
pub fn is_request_metadata(name: &str) -> bool {
    is_metadata(name) || name == PREVIOUS_ATTEMPTS
}

/// Header fields of HTTP itself.
fn is_protocol(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "content-type"
            | "host"
            | "keep-alive"
            | "proxy-connection"
            | "status"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether the values under a key are base64 of bytes.
#[must_use]
fn is_binary(name: &str) -> bool {
    name.ends_with("-bin")
}

/// The size of a header list as HTTP/2 counts it (RFC 9113, section 10.5.1): name, value and 32 for each field.
#[must_use]
pub fn list_size(headers: &HeaderMap) -> usize {
    let fields = headers.iter();
    fields
        .map(|(name, value)| field_size(name, value.len()))
        .sum()
}

/// The size of one field in a header list.
#[must_use]
pub fn field_size(name: &HeaderName, value_length: usize) -> usize {
    name.as_str().len() + value_length + 32
}

/// Refuses header fields of more than `limit` bytes.
///
/// # Errors
///
/// If they exceed the limit, counted as in HTTP/2.
pub fn check_size(headers: &HeaderMap, limit: usize) -> Result<(), MetadataTooLarge> {
    let length = list_size(headers);
    if length > limit {
        Err(MetadataTooLarge { length, limit })
    } else {
        Ok(())
    }
}

/// The values in one header field: a client may join several values of a binary key with commas.
pub fn values<'a>(name: &str, value: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let binary = is_binary(name);
    value
        .split(move |byte| binary && *byte == b',')
        .map(move |part| if binary { part.trim_ascii() } else { part })
}

/// Adds a header field of the application to the metadata. The caller should drop an invalid one: "Implementations should
/// not fail the call".
///
/// # Errors
///
/// If gRPC cannot carry it; then nothing is added.
pub fn append(metadata: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), InvalidMetadata> {
    let name = name.to_ascii_lowercase();
    if !is_metadata(&name) {
        return Err(InvalidMetadata);
    }
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidMetadata)?;
    let check = if is_binary(&name) {
        normalize_base64
    } else {
        ascii
    };
    // All values of a field, or none.
    let values: Vec<_> = values(&name, value).map(check).collect::<Result<_, _>>()?;
    for value in values {
        metadata.append(&key, value);
    }
    Ok(())
}

/// A key or a value that gRPC cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is reserved, or the key or value is invalid")]
pub struct InvalidMetadata;

/// "ASCII-Value → 1*( %x20-%x7E )".
///
/// # Errors
///
/// If it contains another byte.
pub fn ascii(value: &[u8]) -> Result<HeaderValue, InvalidMetadata> {
    if !value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err(InvalidMetadata);
    }
    HeaderValue::from_bytes(value).map_err(|_| InvalidMetadata)
}

/// Base64 without padding, from base64 with or without padding.
///
/// # Errors
///
/// If it is not base64.
pub fn normalize_base64(value: &[u8]) -> Result<HeaderValue, InvalidMetadata> {
    encode_base64(&decode_base64(value)?)
}

/// The bytes of base64 with or without padding.
///
/// # Errors
///
/// If it is not base64.
pub fn decode_base64(value: &[u8]) -> Result<Vec<u8>, InvalidMetadata> {
    BASE64.decode(value).map_err(|_| InvalidMetadata)
}

/// The value of a key that ends in `-bin`.
///
/// # Errors
///
/// If it is too long for a header field.
pub fn encode_base64(bytes: &[u8]) -> Result<HeaderValue, InvalidMetadata> {
    HeaderValue::try_from(BASE64.encode(bytes)).map_err(|_| InvalidMetadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocols_own_fields_are_not_metadata() {
        for name in [
            "x-request-id",
            "authorization",
            "user-agent",
            "a_b",
            "a.b",
            "x-bin",
        ] {
            assert!(is_metadata(name), "{name}");
        }
        for name in [
            "grpc-timeout",
            "grpc-anything",
            "te",
            "content-type",
            "status",
            "x!",
            "X-Upper",
        ] {
            assert!(!is_metadata(name), "{name}");
            assert!(!is_request_metadata(name), "{name}");
        }
        assert!(is_request_metadata("grpc-previous-rpc-attempts"));
    }

    #[test]
    fn binary_values_come_with_and_without_padding_and_joined() {
        let mut metadata = HeaderMap::new();
        append(&mut metadata, "X-Echo-Bin", b"q6ur").unwrap();
        append(&mut metadata, "x-echo-bin", b"qw==, qw").unwrap();
        let values: Vec<_> = metadata.get_all("x-echo-bin").iter().collect();
        assert_eq!(values, ["q6ur", "qw", "qw"]);
    }

    #[test]
    fn repeated_keys_keep_their_order() {
        let mut metadata = HeaderMap::new();
        for value in ["b", "a", "c, d"] {
            append(&mut metadata, "x", value.as_bytes()).unwrap();
        }
        assert_eq!(
            metadata.get_all("x").iter().collect::<Vec<_>>(),
            ["b", "a", "c, d"]
        );
    }

    #[test]
    fn invalid_metadata_is_dropped() {
        let mut metadata = HeaderMap::new();
        let table: [(&str, &[u8]); 7] = [
            ("x", b"a\0b"),
            ("x", "\u{263a}".as_bytes()),
            ("x-bin", b"!!"),
            ("x-bin", b"qw,!!"),
            ("grpc-x", b"1"),
            ("x y", b"1"),
            ("connection", b"close"),
        ];
        for (name, value) in table {
            assert_eq!(
                append(&mut metadata, name, value),
                Err(InvalidMetadata),
                "{name}"
            );
        }
        assert!(metadata.is_empty());
    }

    #[test]
    fn size_is_counted_as_http2_counts_it() {
        let mut headers = HeaderMap::new();
        headers.insert("abc", HeaderValue::from_static("de"));
        assert_eq!(check_size(&headers, 37), Ok(()));
        assert_eq!(
            check_size(&headers, 36),
            Err(MetadataTooLarge {
                length: 37,
                limit: 36
            })
        );
    }
}
