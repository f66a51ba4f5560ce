//! A status as JSON: a google.rpc.Status (google/rpc/status.proto).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use grpc_wire::status::Status;
use http::Response;
use serde_json::{Value, json};
use transcoding::Schema;

use super::JSON;
use crate::call::ResponseBody;
use crate::server::front_ends::answer::{Content, details, http_status};

/// The JSON of a status. A detail whose type is in no descriptor set is written as base64.
pub(super) fn json(schema: &Schema, status: &Status) -> Vec<u8> {
    let mut object = json!({"code": status.code as i32, "message": status.message});
    let details: Vec<_> = details(status)
        .iter()
        .map(|any| {
            let known = schema.any_to_json(&any.type_url, &any.value);
            known.unwrap_or_else(|| unknown(any))
        })
        .collect();
    if !details.is_empty() {
        object["details"] = details.into();
    }
    object.to_string().into_bytes()
}

fn unknown(any: &prost_types::Any) -> Value {
    json!({"@type": any.type_url, "value": BASE64_STANDARD.encode(&any.value)})
}

pub(super) fn response(schema: &Schema, status: &Status) -> Response<ResponseBody> {
    let content = Content {
        bytes: json(schema, status).into(),
        media_type: JSON,
        encoding: None,
    };
    content.response(http_status(status.code))
}
