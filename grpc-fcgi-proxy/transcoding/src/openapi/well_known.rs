//! The messages whose JSON is not that of their fields.

use prost_reflect::MessageDescriptor;
use serde_json::{Value, json};

use super::scalars::up_to;
use super::schemas::Schemas;

const YEAR: &str = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])";
const DAY: &str = "(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])";
const MINUTE: &str = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
/// In seconds.
const LONGEST_DURATION: &str = "315576000000";

/// What the JSON of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An object of its fields.
    Object,
    /// That of a scalar, which a path or query can have, too.
    Text,
    /// Something else.
    Special,
}

pub(super) fn form(message: &MessageDescriptor) -> Form {
    match message.full_name().strip_prefix("google.protobuf.") {
        Some("Any" | "Empty" | "ListValue" | "Struct" | "Value") => Form::Special,
        Some(
            "BoolValue" | "BytesValue" | "DoubleValue" | "Duration" | "FieldMask" | "FloatValue"
            | "Int32Value" | "Int64Value" | "StringValue" | "Timestamp" | "UInt32Value"
            | "UInt64Value",
        ) => Form::Text,
        _ => Form::Object,
    }
}

/// Whether null is a value of it.
pub(super) fn takes_null(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.protobuf.Value"
}

/// The schema of a well-known type; `None` for another message.
pub(super) fn schema(message: &MessageDescriptor, schemas: &mut Schemas<'_>) -> Option<Value> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    Some(match name {
        "Any" => any(),
        "Duration" => json!({
            "description": "Seconds, and the letter s.",
            "type": "string",
            "pattern": format!("^-?{}(?:\\.[0-9]+)?s$", up_to(LONGEST_DURATION)),
        }),
        "Empty" => json!({"type": "object", "additionalProperties": false}),
        "FieldMask" => json!({
            "description": "Names of fields, in camel case, separated by commas; those of nested fields with dots.",
            "type": "string",
            "pattern": "^[^_]*$",
        }),
        "Timestamp" => json!({
            "description": "A time of RFC 3339, in the years from 1 to 9999. A leap second is accepted, too.",
            "type": "string",
            "format": "date-time",
            "pattern": format!("^{YEAR}-{DAY}T{MINUTE}:[0-5][0-9](?:\\.[0-9]+)?(?:Z|[+-]{MINUTE})$"),
        }),
        "Struct" | "ListValue" | "Value" => structure(name, message, schemas),
        "BoolValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value"
        | "StringValue" | "UInt32Value" | "UInt64Value" => {
            schemas.value(&message.get_field(1)?.kind())
        }
        _ => return None,
    })
}

/// Its other properties depend on the type.
pub(super) fn any() -> Value {
    json!({
        "description": "A message of any type, which the last part of @type names.",
        "type": "object",
        "required": ["@type"],
        "properties": {"@type": {"type": "string", "pattern": "^[^/]*/[^/]+$"}},
        "additionalProperties": true,
    })
}

fn structure(name: &str, message: &MessageDescriptor, schemas: &mut Schemas<'_>) -> Value {
    let value = message
        .parent_pool()
        .get_message_by_name("google.protobuf.Value");
    let value = value.map_or(Value::Bool(true), |value| schemas.message(&value));
    match name {
        "Struct" => json!({"type": "object", "additionalProperties": value}),
        "ListValue" => json!({"type": "array", "items": value}),
        _ => json!({"description": "Any JSON."}),
    }
}
