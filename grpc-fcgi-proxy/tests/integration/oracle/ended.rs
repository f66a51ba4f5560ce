//! How a call ended, in a form that can be compared.

use std::collections::BTreeMap;

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tonic::Code;

use super::call::code_of_http;
use crate::support::{Response, message};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Fields that are not the application's metadata.
const PROTOCOL: [&str; 7] = [
    "content-type",
    "date",
    "grpc-accept-encoding",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "status",
];

/// The values of each key, in their order; binary ones as bytes.
pub(super) type Metadata = BTreeMap<String, Vec<Vec<u8>>>;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: Code,
    pub(super) text: String,
    pub(super) details: Vec<u8>,
    pub(super) content: Option<Vec<u8>>,
    initial: Metadata,
    trailing: Metadata,
    /// The script's meta-variables.
    seen: Value,
}

impl Ended {
    /// As a client of the proxy sees it.
    pub(super) fn of_call(response: Response) -> Self {
        let nothing = HeaderMap::new();
        let (initial, trailers) = match response.trailers.is_empty() {
            // Trailers-Only.
            true => (&nothing, &response.headers),
            false => (&response.headers, &response.trailers),
        };
        let status = tonic::Status::from_header_map(trailers).unwrap();
        let content = (!response.body.is_empty()).then(|| {
            let content = response.body[5..].to_vec();
            assert_eq!(message(&content), response.body);
            content
        });
        let mut trailing = metadata(trailers);
        Self {
            code: status.code(),
            text: status.message().to_owned(),
            details: status.details().to_vec(),
            content,
            initial: metadata(initial),
            seen: seen(&mut trailing),
            trailing,
        }
    }

    /// As PHP's output contains it.
    pub(super) fn of_cgi(answer: &[u8]) -> Self {
        let end = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .unwrap();
        let (mut initial, mut trailing) = (HeaderMap::new(), HeaderMap::new());
        for line in answer[..end].split(|byte| *byte == b'\n') {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            let name = line[..colon].to_ascii_lowercase();
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).unwrap();
            let (block, name) = match name.strip_prefix(b"grpc-trailer-") {
                Some(name) => (&mut trailing, name),
                None => (&mut initial, &name[..]),
            };
            block.append(HeaderName::from_bytes(name).unwrap(), value);
        }
        let (code, text, details) = status(&initial);
        let mut trailing = metadata(&trailing);
        Self {
            code,
            text,
            details,
            content: (code == Code::Ok).then(|| answer[end + 4..].to_vec()),
            initial: metadata(&initial),
            seen: seen(&mut trailing),
            trailing,
        }
    }
}

fn status(fields: &HeaderMap) -> (Code, String, Vec<u8>) {
    if let Some(status) = tonic::Status::from_header_map(fields) {
        let details = status.details().to_vec();
        return (status.code(), status.message().to_owned(), details);
    }
    let http_status = fields
        .get("status")
        .map_or(200, |value| value.to_str().unwrap()[..3].parse().unwrap());
    let text = match http_status {
        200 => String::new(),
        other => format!("the application answered with HTTP status {other}"),
    };
    (code_of_http(http_status), text, Vec::new())
}

pub(super) fn metadata(fields: &HeaderMap) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in fields
        .iter()
        .filter(|(name, _)| !PROTOCOL.contains(&name.as_str()))
    {
        let values = metadata.entry(name.to_string()).or_default();
        if name.as_str().ends_with("-bin") {
            let parts = value.as_bytes().split(|byte| *byte == b',');
            values.extend(parts.map(|part| BASE64.decode(part.trim_ascii()).unwrap()));
        } else {
            values.push(value.as_bytes().to_vec());
        }
    }
    metadata
}

/// GRPC_METADATA keeps the order of each key's values, not that of the keys.
fn seen(trailing: &mut Metadata) -> Value {
    let seen = trailing.remove("x-seen-bin").unwrap().remove(0);
    let mut seen: Value = serde_json::from_slice(&seen).unwrap();
    let mut grouped = BTreeMap::<String, Vec<String>>::new();
    for line in seen["GRPC_METADATA"].as_str().unwrap().lines() {
        let (key, value) = line.split_once(": ").unwrap();
        grouped
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    seen["GRPC_METADATA"] = serde_json::to_value(grouped).unwrap();
    seen
}
