//! The bodies of requests and the content of responses.

use prost_reflect::{FieldDescriptor, MessageDescriptor, MethodDescriptor};
use serde_json::{Value, json};

use super::messages;
use super::parameters::FieldPath;
use super::schemas::Schemas;
use super::well_known;
use crate::rest::{RequestBody, ResponseBody, Route};
use crate::schema::Schema;

/// The name of the response to a call that failed.
pub(super) const ERROR: &str = "Error";
const STATUS: &str = "google.rpc.Status";

/// As google.rpc.Code says.
const ERROR_DESCRIPTION: &str = "\
The call failed. The HTTP status depends on the code:

- 400: INVALID_ARGUMENT (3), FAILED_PRECONDITION (9), OUT_OF_RANGE (11)
- 401: UNAUTHENTICATED (16)
- 403: PERMISSION_DENIED (7)
- 404: NOT_FOUND (5)
- 405: UNIMPLEMENTED (12), if the path has other HTTP methods
- 409: ALREADY_EXISTS (6), ABORTED (10)
- 429: RESOURCE_EXHAUSTED (8)
- 499: CANCELLED (1)
- 500: UNKNOWN (2), INTERNAL (13), DATA_LOSS (15)
- 501: UNIMPLEMENTED (12)
- 503: UNAVAILABLE (14)
- 504: DEADLINE_EXCEEDED (4)";

/// The response to a call that failed.
pub(super) fn error(schema: &Schema, schemas: &mut Schemas<'_>) -> Value {
    let status = status(schema, schemas);
    json!({"description": ERROR_DESCRIPTION, "content": {"application/json": {"schema": status}}})
}

fn status(schema: &Schema, schemas: &mut Schemas<'_>) -> Value {
    match schema.pool().get_message_by_name(STATUS) {
        Some(message) => schemas.message(&message),
        None => {
            let any = schemas.given("google.protobuf.Any", well_known::any);
            schemas.given(STATUS, || {
                json!({
                    "type": "object",
                    "properties": {
                        "code": {"type": "integer", "format": "int32"},
                        "message": {"type": "string"},
                        "details": {"type": "array", "items": any},
                    },
                    "additionalProperties": false,
                })
            })
        }
    }
}

/// What a request has in its body; `None` if that is nothing.
pub(super) fn request(
    schema: &Schema,
    route: &Route,
    method: &MethodDescriptor,
    variables: &[Option<FieldPath>],
    schemas: &mut Schemas<'_>,
) -> Option<Value> {
    match route.request_body() {
        RequestBody::None => return None,
        RequestBody::Raw => return Some(json!({"content": {"*/*": {}}})),
        RequestBody::Json => {}
    }
    let message = method.input();
    let bound: Vec<_> = variables.iter().flatten().cloned().collect();
    let schema = match route.request_body_field(schema) {
        None if bound.is_empty() => schemas.message(&message),
        None => messages::without(&message, &bound, schemas),
        Some(name) => {
            let field = message.get_field_by_json_name(name)?;
            messages::field_without(&field, &bound, schemas)
        }
    };
    Some(if route.client_streaming() {
        json!({
            "description": "A line of JSON for each message.",
            "content": {"application/x-ndjson": {"schema": {"type": "array", "items": schema}}},
        })
    } else {
        json!({"content": {"application/json": {"schema": schema}}})
    })
}

/// The responses to a call.
pub(super) fn responses(
    schema: &Schema,
    route: &Route,
    method: &MethodDescriptor,
    schemas: &mut Schemas<'_>,
) -> Value {
    let mut success = json!({"description": "The call succeeded."});
    if route.verb() != "HEAD" {
        let content = match route.response_body() {
            ResponseBody::Raw => json!({"*/*": {}}),
            ResponseBody::Json => {
                let message = content(&method.output(), route.response_body_field(schema), schemas);
                if route.server_streaming() {
                    success["description"] = STREAM.into();
                    stream(&message, &status(schema, schemas))
                } else {
                    json!({"application/json": {"schema": message}})
                }
            }
        };
        success["content"] = content;
    }
    json!({"200": success, "default": {"$ref": format!("#/components/responses/{ERROR}")}})
}

fn content(message: &MessageDescriptor, field: Option<&str>, schemas: &mut Schemas<'_>) -> Value {
    let field: Option<FieldDescriptor> =
        field.and_then(|name| message.get_field_by_json_name(name));
    match field {
        Some(field) => messages::field(&field, schemas),
        None => schemas.message(message),
    }
}

const STREAM: &str = "\
The messages as they come: a line of JSON each, or, to requests that accept text/event-stream, a server-sent event each. \
If the call fails later, the last line has its status as `error`. The last event is always a `status`.";

/// A stream, as OpenAPI 3.2 has it: a schema is that of the list of all lines or events.
fn stream(message: &Value, status: &Value) -> Value {
    let failure = json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": status},
        "additionalProperties": false,
    });
    let event = |event: Option<&str>, data: &Value| {
        let data = json!({"type": "string", "contentMediaType": "application/json", "contentSchema": data});
        match event {
            Some(name) => json!({
                "type": "object",
                "required": ["event", "data"],
                "properties": {"event": {"const": name}, "data": data},
            }),
            None => {
                json!({"type": "object", "required": ["data"], "properties": {"event": false, "data": data}})
            }
        }
    };
    let list = |one: Value, other: Value| json!({"schema": {"type": "array", "items": {"anyOf": [one, other]}}});
    json!({
        "application/x-ndjson": list(message.clone(), failure),
        "text/event-stream": list(event(None, message), event(Some("status"), status)),
    })
}
