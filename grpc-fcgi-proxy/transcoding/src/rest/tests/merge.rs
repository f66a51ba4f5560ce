//! Bodies that have a part of a message, of which a path or a query has another part.

use prost::encoding::{DecodeContext, decode_key, skip_field};

use super::*;
use crate::schema::{MessageId, ValueType};

/// Panics if a message has a singular field more than once, as some readers keep the last of several messages only.
fn assert_single(schema: &Schema, message: MessageId, mut bytes: &[u8]) {
    let message = schema.message_type(message);
    let mut seen = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).unwrap();
        let mut content = bytes;
        skip_field(wire_type, number, &mut bytes, DecodeContext::default()).unwrap();
        content = &content[..content.len() - bytes.len()];
        let field = &message.fields[message.field(number).unwrap()];
        let is_new = !seen.contains(&number);
        assert!(field.is_repeated() || is_new, "{} twice", field.name);
        seen.push(number);
        if let (ValueType::Message(id), false) = (field.value, field.is_repeated()) {
            prost::encoding::decode_varint(&mut content).unwrap();
            assert_single(schema, id, content);
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_message_with_parts_in_path_and_body_is_encoded_once() {
    let library = library(
        &[
            method(
                "All",
                r#"post: "/all/{inner.a_string}/{inner.inner.an_int32}" body: "*""#,
            ),
            method("Time", r#"post: "/time/{inner.time.seconds}" body: "*""#),
            method(
                "Field",
                r#"post: "/field/{inner.inner.a_string}" body: "inner""#,
            ),
            method("Oneof", r#"post: "/oneof/{inner.chosen_text}" body: "*""#),
            method(
                "Within",
                r#"post: "/within/{chosen_inner.a_string}" body: "*""#,
            ),
        ]
        .concat(),
    );
    for (target, body, json) in [
        (
            "/all/a/5",
            r#"{"list":[{},{"aBool":true}],"inner":{"numbers":[1,2],"aString":"lost","inner":{"an_int32":1,"inner":{},"aBool":true}},"aString":"b","texts":{"a":"b"}}"#,
            r#"{"aString":"b","inner":{"aString":"a","inner":{"anInt32":5,"aBool":true,"inner":{}},"numbers":[1,2]},"list":[{},{"aBool":true}],"texts":{"a":"b"}}"#,
        ),
        (
            "/all/a/5",
            r#"{"aBool":true}"#,
            r#"{"aBool":true,"inner":{"aString":"a","inner":{"anInt32":5}}}"#,
        ),
        (
            "/all/a/5",
            r#"{"inner":{},"strings":["a",""]}"#,
            r#"{"inner":{"aString":"a","inner":{"anInt32":5}},"strings":["a",""]}"#,
        ),
        (
            "/all/a/5",
            "",
            r#"{"inner":{"aString":"a","inner":{"anInt32":5}}}"#,
        ),
        (
            "/time/0",
            r#"{"inner":{"time":"2026-01-02T03:04:05.600Z"}}"#,
            r#"{"inner":{"time":"1970-01-01T00:00:00.600Z"}}"#,
        ),
        (
            "/field/a?aBool=true",
            "{}",
            r#"{"aBool":true,"inner":{"inner":{"aString":"a"}}}"#,
        ),
        (
            "/field/a?a_string=b",
            r#"{"aBool":true,"inner":{"aBool":true,"aString":"b"}}"#,
            r#"{"aString":"b","inner":{"aBool":true,"inner":{"aBool":true,"aString":"a"}}}"#,
        ),
        // The path has another field of the same oneof as the body.
        (
            "/oneof/a",
            r#"{"inner":{"chosenInner":{"aBool":true},"aBool":true}}"#,
            r#"{"inner":{"aBool":true,"chosenText":"a"}}"#,
        ),
        (
            "/within/a",
            r#"{"chosenNumber":1,"aBool":true}"#,
            r#"{"aBool":true,"chosenInner":{"aString":"a"}}"#,
        ),
        (
            "/within/a",
            r#"{"chosenInner":{"aBool":true}}"#,
            r#"{"chosenInner":{"aBool":true,"aString":"a"}}"#,
        ),
    ] {
        let bytes = library
            .bytes("POST", target, body, Unknown::Refuse)
            .unwrap();
        assert_single(
            &library.schema,
            library.schema.message("test.All").unwrap(),
            &bytes,
        );
        // Its JSON does not depend on the order of the fields.
        let found: serde_json::Value =
            serde_json::from_str(&library.json("POST", target, &bytes)).unwrap();
        let expected: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(found, expected, "{target} {body}");
    }
}

#[test]
fn a_raw_body_has_its_type_from_the_path() {
    let library = library(&method_of(
        "Field",
        "test.rest.Upload",
        "test.All",
        r#"post: "/v1/{name}/{file.content_type}" body: "file""#,
    ));
    let bytes = library
        .bytes("POST", "/v1/a/b", "{\0", Unknown::Refuse)
        .unwrap();
    assert_single(
        &library.schema,
        library.schema.message("test.rest.Upload").unwrap(),
        &bytes,
    );
    assert_eq!(
        library.json("POST", "/v1/a/b", &bytes),
        r#"{"name":"a","file":{"contentType":"b","data":"ewA="}}"#
    );
}

#[test]
fn several_encodings_of_a_body_are_merged() {
    let library = library(&method(
        "All",
        r#"post: "/v1/{chosen_inner.a_string}" body: "*""#,
    ));
    let mut fields = crate::rest::Fields::default();
    let all = library.schema.message("test.All").unwrap();
    let name = "chosen_inner.a_string";
    let path = crate::rest::FieldPath::resolve(&library.schema, all, name).unwrap();
    fields
        .add(&library.schema, all, &path, b"\x72\x01a")
        .unwrap();
    for (body, json) in [
        // chosen_inner twice.
        (
            &b"\xa2\x03\x02\x68\x01\x68\x01\xa2\x03\x02\x18\x02"[..],
            r#"{"aBool":true,"chosenInner":{"anInt32":2,"aBool":true,"aString":"a"}}"#,
        ),
        // chosen_number behind it.
        (
            b"\xa2\x03\x02\x68\x01\x98\x03\x01",
            r#"{"chosenInner":{"aString":"a"}}"#,
        ),
    ] {
        let mut merged = b"before".to_vec();
        fields.merge(&library.schema, all, body, &mut merged);
        let bytes = merged.strip_prefix(b"before").unwrap();
        assert_single(&library.schema, all, bytes);
        assert_eq!(library.json("POST", "/v1/a", bytes), json);
    }
    let mut malformed = Vec::new();
    fields.merge(&library.schema, all, b"\x72\x05a", &mut malformed);
    assert!(malformed.starts_with(b"\x72\x05a"));
}
