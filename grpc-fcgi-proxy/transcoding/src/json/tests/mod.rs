//! The JSON mapping against the text of the specification.

mod dynamic;
mod random;

use std::sync::LazyLock;

use super::{Unknown, WriteError};
use crate::schema::{MessageId, Schema};
use prost::Message;
use prost_reflect::{DescriptorPool, MessageDescriptor};

struct Fixture {
    schema: Schema,
    all: MessageId,
    descriptor: MessageDescriptor,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let set = protox::compile(["all.proto"], ["src/json/tests"])
        .unwrap()
        .encode_to_vec();
    let schema = Schema::read([set.as_slice()]).unwrap();
    let pool = DescriptorPool::decode(set.as_slice()).unwrap();
    Fixture {
        all: schema.message("test.All").unwrap(),
        schema,
        descriptor: pool.get_message_by_name("test.All").unwrap(),
    }
});

fn json(bytes: &[u8]) -> Result<String, WriteError> {
    let mut json = Vec::new();
    FIXTURE.schema.write_json(FIXTURE.all, bytes, &mut json)?;
    Ok(String::from_utf8(json).unwrap())
}

fn read(json: &str, unknown: Unknown) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = FIXTURE
        .schema
        .read_json(FIXTURE.all, json.as_bytes(), unknown, &mut bytes);
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The JSON that comes back for a JSON text.
fn echo(text: &str) -> String {
    json(&read(text, Unknown::Refuse).unwrap()).unwrap()
}

fn error(text: &str) -> String {
    read(text, Unknown::Refuse).unwrap_err()
}

#[test]
fn values_have_the_json_of_the_specification() {
    for text in [
        r"{}",
        r#"{"aDouble":1.5,"aFloat":0.1,"anInt32":-1,"anInt64":"-9223372036854775808","aUint32":4294967295}"#,
        r#"{"aUint64":"18446744073709551615","aSint32":-2147483648,"aSint64":"-1","aFixed32":1,"aFixed64":"2"}"#,
        r#"{"aSfixed32":-3,"aSfixed64":"-4","aBool":true,"aString":"\"\\\n\u0001é😀","someBytes":"+/8="}"#,
        r#"{"aDouble":"NaN","aFloat":"-Infinity","color":"BLUE"}"#,
        r#"{"aDouble":-0.0,"color":7}"#,
        r#"{"inner":{"inner":{}}}"#,
        r#"{"numbers":[1,-2,0],"unpacked":[1,0],"doubles":[0.0,"Infinity"],"strings":["",""],"colors":["RED",9]}"#,
        r#"{"list":[{},{"aBool":true}],"fixed":["1"]}"#,
        r#"{"texts":{"":""},"byNumber":{"-1":{"anInt32":1}},"byFlag":{"true":"RED"},"byLong":{"-5":"AA=="}}"#,
        r#"{"maybeNumber":0,"maybeText":"","maybeColor":"COLOR_UNSPECIFIED"}"#,
        r#"{"chosenText":""}"#,
        r#"{"chosenNull":null}"#,
        r#"{"time":"2026-01-02T03:04:05.600Z","duration":"-1.500s","wrapped":"0","wrappedText":""}"#,
        r#"{"mask":"aDouble,inner.color","structure":{"a":[1.0,null,"x",{}]},"value":null,"values":[null,false]}"#,
        r#"{"any":{"@type":"type.googleapis.com/test.Unordered","first":"x"}}"#,
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}"#,
        r#"{"other \"name\"":"x"}"#,
    ] {
        assert_eq!(echo(text), text);
    }
}

#[test]
fn what_a_reader_accepts_is_more_than_what_a_writer_writes() {
    for (text, written) in [
        (
            r#"{"a_double":"1.5","an_int32":"7","an_int64":7,"a_uint64":1e3}"#,
            r#"{"aDouble":1.5,"anInt32":7,"anInt64":"7","aUint64":"1000"}"#,
        ),
        (
            r#"{"anInt32":1.0,"aUint32":"1e1","aFloat":3}"#,
            r#"{"aFloat":3.0,"anInt32":1,"aUint32":10}"#,
        ),
        (r#"{"someBytes":"-_8"}"#, r#"{"someBytes":"+/8="}"#),
        (
            r#"{"color":-2,"maybeColor":"RED"}"#,
            r#"{"color":"BLUE","maybeColor":"RED"}"#,
        ),
        (
            r#"{"aDouble":null,"inner":null,"list":null,"texts":null,"chosenText":null,"wrapped":null}"#,
            "{}",
        ),
        (r#"{"numbers":[],"unpacked":[],"list":[],"texts":{}}"#, "{}"),
        (
            r#"{"anInt32":0,"aString":"","color":"COLOR_UNSPECIFIED"}"#,
            "{}",
        ),
        (
            r#"{"chosenText":null,"chosenNumber":"1"}"#,
            r#"{"chosenNumber":"1"}"#,
        ),
        (r#" { "aBool" : true } "#, r#"{"aBool":true}"#),
        (r#"{"renamed":"x"}"#, r#"{"other \"name\"":"x"}"#),
    ] {
        assert_eq!(echo(text), written, "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn an_error_says_where_and_why() {
    for (text, expected) in [
        (
            r#"{"nothing":1}"#,
            "test.All has no field \"nothing\" at line 1 column 10",
        ),
        (r#"{"anInt32":2147483648}"#, "2147483648 is out of range"),
        (
            r#"{"anInt32":1.5}"#,
            "invalid value: floating point `1.5`, expected an integer",
        ),
        (
            r#"{"anInt32":" 1"}"#,
            "invalid value: string \" 1\", expected an integer",
        ),
        (
            r#"{"anInt32":true}"#,
            "invalid type: boolean `true`, expected an integer",
        ),
        (r#"{"aUint32":-1}"#, "-1 is out of range"),
        (
            r#"{"aFloat":1e39}"#,
            "invalid value: floating point `1e+39`, expected a number of 32 bits",
        ),
        (
            r#"{"aDouble":"inf"}"#,
            "invalid value: string \"inf\", expected a number of 64 bits",
        ),
        (
            r#"{"aString":1}"#,
            "invalid type: integer `1`, expected a string",
        ),
        (r#"{"someBytes":"*"}"#, "expected bytes in base64"),
        (r#"{"aBool":"true"}"#, "expected true or false"),
        (
            r#"{"color":"GREEN"}"#,
            "invalid value: string \"GREEN\", expected the name or number of an enum value",
        ),
        (
            r#"{"color":null,"list":[null]}"#,
            "expected an object, test.All",
        ),
        (r#"{"numbers":[null]}"#, "expected an integer"),
        (r#"{"numbers":{}}"#, "expected a list for numbers"),
        (r#"{"texts":[]}"#, "expected an object for texts"),
        (
            r#"{"byNumber":{"x":{}}}"#,
            "invalid value: string \"x\", expected an integer",
        ),
        (
            r#"{"byFlag":{"1":0}}"#,
            "invalid value: string \"1\", expected true or false",
        ),
        (
            r#"{"aBool":true,"a_bool":true}"#,
            "the field aBool occurs twice",
        ),
        (
            r#"{"chosenText":"","chosenNumber":1}"#,
            "the field chosenNumber and another one exclude each other",
        ),
        (r#"{"time":"yesterday"}"#, ""),
        (r#"{} {}"#, "trailing characters at line 1 column 4"),
        ("", "EOF while parsing a value"),
        ("[]", "invalid type: sequence, expected an object, test.All"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_error_does_not_repeat_a_long_text() {
    let long = "x".repeat(1 << 20);
    for text in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"anInt32":"{long}"}}"#),
        format!(r#"{{"color":"{long}"}}"#),
    ] {
        let error = error(&text);
        assert!(
            error.len() < 300 && error.contains("xxx… at line 1 column "),
            "{error}"
        );
    }
}

#[test]
fn unknown_fields_and_enum_values_can_be_dropped() {
    let text = r#"{"nothing":{"a":[1]},"color":"GREEN","colors":["GREEN","RED"],"byFlag":{"true":"GREEN","false":"RED"},"aBool":true}"#;
    assert_eq!(
        json(&read(text, Unknown::Drop).unwrap()).unwrap(),
        r#"{"aBool":true,"colors":["RED"],"byFlag":{"false":"RED"}}"#
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        format!(
            "{}{}",
            r#"{"inner":"#.repeat(depth),
            format_args!("{{}}{}", "}".repeat(depth))
        )
    };
    let deep = nested(99);
    assert_eq!(echo(&deep), deep);
    assert!(error(&nested(100)).contains("contain each other"));
    assert!(error(&nested(10_000)).contains("contain each other"));
    // Field 17, of a message as long as all that follow.
    let mut bytes = Vec::new();
    for _ in 0..100 {
        let mut outer = vec![0x8a, 0x01];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.append(&mut bytes);
        bytes = outer;
    }
    assert!(matches!(json(&bytes), Err(WriteError::TooDeep)));
}

#[test]
fn the_order_on_the_wire_does_not_matter() {
    // numbers: 1; aBool: true; numbers: 2; aBool: false; aBool: true; chosenText: "a"; chosenNumber: 1.
    let bytes = b"\xa0\x01\x01\x68\x01\xa0\x01\x02\x68\x00\x68\x01\x92\x03\x01a\x98\x03\x01";
    assert_eq!(
        json(bytes).unwrap(),
        r#"{"aBool":true,"numbers":[1,2],"chosenNumber":"1"}"#
    );
    // inner: {anInt32: 1}; inner: {aBool: true}.
    let bytes = b"\x8a\x01\x02\x18\x01\x8a\x01\x02\x68\x01";
    assert_eq!(
        json(bytes).unwrap(),
        r#"{"inner":{"anInt32":1,"aBool":true}}"#
    );
    // Packed and not packed, beside each other, and an unknown field.
    let bytes = b"\xa2\x01\x02\x01\x02\xa2\x01\x00\xa0\x01\x03\xf8\x7f\x01";
    assert_eq!(json(bytes).unwrap(), r#"{"numbers":[1,2,3]}"#);
}

#[test]
fn a_malformed_message_is_refused() {
    for bytes in [
        &b"\x08"[..],
        b"\x72\x05abc",
        b"\x72\x01\xff",
        b"\x68",
        b"\x0a\x00",
        b"\x75\x00\x00\x00\x00",
        b"\x00\x01",
    ] {
        assert!(json(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_method_has_its_messages() {
    let read = FIXTURE.schema.method("/test.Service/Read").unwrap();
    assert!(read.no_side_effects && read.request == FIXTURE.all);
    assert_eq!(
        Some(read.response),
        FIXTURE.schema.message("test.Unordered")
    );
    assert!(
        !FIXTURE
            .schema
            .method("/test.Service/Write")
            .unwrap()
            .no_side_effects
    );
    assert!(FIXTURE.schema.method("/test.Service/Delete").is_none());
    let mut bytes = Vec::new();
    let text = br#"{"second":"2","first":"1"}"#;
    FIXTURE
        .schema
        .read_json(read.response, text, Unknown::Refuse, &mut bytes)
        .unwrap();
    let mut json = Vec::new();
    FIXTURE
        .schema
        .write_json(read.response, &bytes, &mut json)
        .unwrap();
    assert_eq!(json, br#"{"first":"1","second":"2"}"#);
}

#[test]
fn what_must_be_built_is_bounded() {
    let any = |count: usize| {
        let zeros = vec!["0"; count].join(",");
        format!(
            r#"{{"any":{{"@type":"type.googleapis.com/google.protobuf.ListValue","value":[{zeros}]}}}}"#
        )
    };
    assert!(read(&any(9_000), Unknown::Refuse).is_ok());
    let found = error(&any(10_000));
    assert!(found.contains("more than 10000 values"), "{found}");
    let mask = format!(r#"{{"mask":"{}"}}"#, vec!["a"; 20_000].join(","));
    let found = error(&mask);
    assert!(found.contains("more than 10000 values"), "{found}");
}
