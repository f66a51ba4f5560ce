//! The schemas of messages and enums.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use crate::json::Unknown;
use crate::openapi::comments::Comments;
use crate::openapi::schemas::Schemas;

static COMPONENTS: LazyLock<Map<String, Value>> = LazyLock::new(|| components(Unknown::Refuse));

fn components(unknown: Unknown) -> Map<String, Value> {
    let set = protox::compile(["types.proto"], ["src/openapi/tests"]).unwrap();
    let pool = DescriptorPool::decode(set.encode_to_vec().as_slice()).unwrap();
    let comments = Comments::of(&pool);
    let mut schemas = Schemas::new(&comments, unknown);
    schemas.message(&pool.get_message_by_name("types.Types").unwrap());
    schemas.finish()
}

fn field(name: &str) -> &'static Value {
    &COMPONENTS["types.Types"]["properties"][name]
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// script/openapi-conformance checks that the schemas agree with the same table.
#[test]
fn the_mapping_agrees_with_the_table() {
    let table: Value = serde_json::from_str(include_str!("accepted.json")).unwrap();
    let schema = super::schema(&["types.proto"]);
    let types = schema.message("types.Types").unwrap();
    for (key, expected) in [("accepted", true), ("refused", false)] {
        for value in table[key].as_array().unwrap() {
            let text = value.to_string();
            let read = schema.read_json(types, text.as_bytes(), Unknown::Refuse, &mut Vec::new());
            assert_eq!(read.is_ok(), expected, "{text}: {read:?}");
        }
    }
}

#[test]
fn a_field_may_be_null() {
    assert_eq!(field("bool"), &json!({"type": ["boolean", "null"]}));
    assert_eq!(
        field("double"),
        &json!({"anyOf": [reference("proto-double"), {"type": "null"}]})
    );
    assert_eq!(
        field("numbers"),
        &json!({"type": ["array", "null"], "items": reference("proto-int32")})
    );
}

#[test]
fn null_is_a_value_of_value_and_null_value() {
    assert_eq!(field("value"), &reference("google.protobuf.Value"));
    assert_eq!(field("nothing"), &reference("google.protobuf.NullValue"));
}

#[test]
fn comments_are_descriptions() {
    assert_eq!(
        COMPONENTS["types.Types"]["description"],
        "A field of every type.\n\nIts second paragraph."
    );
    assert_eq!(field("snakeCase")["description"], "Any text.");
    assert_eq!(field("inner")["description"], "Itself.");
    assert_eq!(
        COMPONENTS["types.Color"]["description"],
        "Numbers that are not in the list are values, too.\n\n- NO_COLOR: Neither red\n  nor blue.\n- BLUE: As the sky."
    );
}

#[test]
fn deprecated_types_and_fields_are_deprecated() {
    for schema in [
        field("color"),
        &COMPONENTS["types.Color"],
        &COMPONENTS["types.Extended"],
    ] {
        assert_eq!(schema["deprecated"], true);
    }
    assert_eq!(field("bool").get("deprecated"), None);
}

#[test]
fn fields_have_their_names_in_json() {
    assert!(field("other name").is_object());
    assert!(field("renamed").is_null());
    assert_eq!(COMPONENTS["types.Types"]["additionalProperties"], false);
    assert_eq!(COMPONENTS["types.Types"].get("required"), None);
}

#[test]
fn unknown_fields_and_names_are_allowed_if_they_are_dropped() {
    let components = components(Unknown::Drop);
    let types = &components["types.Types"];
    assert_eq!(types.get("additionalProperties"), None);
    let empty = &components["google.protobuf.Empty"];
    assert_eq!(empty["additionalProperties"], false);
    assert_eq!(
        components["types.Color"]["anyOf"][0],
        json!({"type": "string", "examples": ["NO_COLOR", "RED", "BLUE"]})
    );
}

#[test]
fn an_enum_is_a_name_or_a_number() {
    assert_eq!(
        COMPONENTS["types.Color"]["anyOf"],
        json!([
            {"type": "string", "enum": ["NO_COLOR", "RED", "BLUE"]},
            {"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX},
        ])
    );
}

#[test]
fn maps_are_objects_whose_names_are_keys() {
    assert_eq!(
        field("byBool"),
        &json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": "^(?:true|false)$"},
            "additionalProperties": reference("proto-bytes"),
        })
    );
    assert_eq!(field("texts").get("propertyNames"), None);
}

#[test]
fn one_field_of_a_oneof_has_a_value_or_none() {
    assert_eq!(
        COMPONENTS["types.Types"]["allOf"],
        json!([{"oneOf": [
            {"required": ["text"], "properties": {"text": {"not": {"type": "null"}}}},
            {"required": ["number"], "properties": {"number": {"not": {"type": "null"}}}},
            {"required": ["nothing"]},
            {"properties": {"text": {"type": "null"}, "number": {"type": "null"}, "nothing": false}},
        ]}])
    );
}

#[test]
fn messages_refer_to_each_other_and_to_themselves() {
    assert_eq!(field("inner")["anyOf"][0], reference("types.Types"));
    for (name, schema) in &*COMPONENTS {
        for target in references(schema) {
            assert!(
                COMPONENTS.contains_key(&target),
                "{name} refers to {target}"
            );
        }
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|text| text.strip_prefix("#/components/schemas/"));
            own.map(str::to_owned)
                .into_iter()
                .chain(object.values().flat_map(references))
                .collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
