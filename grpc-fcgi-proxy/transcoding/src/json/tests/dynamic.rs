//! Any JSON, in fields of the types of google/protobuf/struct.proto.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use super::{FIXTURE, error, read};
use crate::json::Unknown;

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,9}".prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 50, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(".{0,3}", inner, 0..5).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_has_the_message_of_prost_reflect(value in any_json()) {
        let text = json!({"structure": {"a": value}, "value": value, "values": [value]});
        let bytes = read(&text.to_string(), Unknown::Refuse).unwrap();
        let message = DynamicMessage::decode(FIXTURE.descriptor.clone(), bytes.as_slice()).unwrap();
        let text = text.to_string();
        let mut text = serde_json::Deserializer::from_str(&text);
        let expected = DynamicMessage::deserialize(FIXTURE.descriptor.clone(), &mut text).unwrap();
        prop_assert_eq!(message, expected);
    }
}

#[test]
fn other_json_is_refused() {
    for (text, expected) in [
        (
            r#"{"structure": []}"#,
            "invalid type: sequence, expected an object",
        ),
        (r#"{"structure": {"a": 1e999}}"#, "number out of range"),
        (r#"{"value": [1,}"#, "expected value at line 1 column 14"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn its_depth_is_bounded() {
    let nested = |depth| format!(r#"{{"value": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    // Each list is a message, and each value in it.
    let deepest = read(&nested(49), Unknown::Refuse).unwrap();
    DynamicMessage::decode(FIXTURE.descriptor.clone(), deepest.as_slice()).unwrap();
    assert!(error(&nested(50)).contains("contain each other too often"));
}
