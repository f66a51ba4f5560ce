//! Messages as the content of responses.

use super::*;
use crate::json::WriteError;

/// The response with a message, which is given as JSON.
fn response(library: &Library, path: &str, message: &str) -> (Option<String>, String) {
    let found = library.find("GET", path).unwrap();
    let mut bytes = Vec::new();
    let response = found.route().response;
    let read = library
        .schema
        .read_json(response, message.as_bytes(), Unknown::Refuse, &mut bytes);
    read.unwrap();
    let (content_type, content) = of_bytes(library, path, &bytes).unwrap();
    (content_type, String::from_utf8(content).unwrap())
}

fn of_bytes(
    library: &Library,
    path: &str,
    bytes: &[u8],
) -> Result<(Option<String>, Vec<u8>), WriteError> {
    let found = library.find("GET", path).unwrap();
    let mut content = b"before ".to_vec();
    let content_type = found.response(&library.schema, bytes, &mut content)?;
    Ok((content_type, content.split_off(7)))
}

#[test]
fn a_response_is_the_message() {
    for rule in [r#"get: "/v1""#, r#"get: "/v1" response_body: "*""#] {
        let library = library(&method("Get", rule));
        let json = r#"{"anInt32":1}"#;
        assert_eq!(response(&library, "/v1", json), (None, json.to_owned()));
        assert_eq!(response(&library, "/v1", "{}"), (None, "{}".to_owned()));
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_response_is_a_field() {
    let fields = [
        "an_int32",
        "a_string",
        "an_int64",
        "color",
        "inner",
        "numbers",
        "list",
        "texts",
        "maybeNumber",
        "time",
        "wrapped",
        "structure",
        "chosen_text",
        "chosen_inner",
        "a_bool",
    ];
    let methods = fields.map(|field| {
        method(
            &field.replace('_', "X"),
            &format!(r#"get: "/{field}" response_body: "{field}""#),
        )
    });
    let library = library(&methods.concat());
    for (field, message, json) in [
        ("an_int32", r#"{"anInt32":-1,"aString":"a"}"#, "-1"),
        ("an_int32", "{}", "0"),
        ("an_int64", r#"{"anInt64":"5"}"#, r#""5""#),
        ("a_string", "{}", r#""""#),
        ("a_bool", "{}", "false"),
        ("color", r#"{"color":"RED"}"#, r#""RED""#),
        ("color", "{}", r#""COLOR_UNSPECIFIED""#),
        ("inner", r#"{"inner":{"aBool":true}}"#, r#"{"aBool":true}"#),
        ("inner", "{}", "{}"),
        ("numbers", r#"{"numbers":[1,2]}"#, "[1,2]"),
        ("numbers", "{}", "[]"),
        (
            "list",
            r#"{"list":[{},{"aBool":true}]}"#,
            r#"[{},{"aBool":true}]"#,
        ),
        ("texts", r#"{"texts":{"a":"b"}}"#, r#"{"a":"b"}"#),
        ("texts", "{}", "{}"),
        ("maybeNumber", r#"{"maybeNumber":0}"#, "0"),
        ("maybeNumber", "{}", "null"),
        (
            "time",
            r#"{"time":"2026-01-02T03:04:05Z"}"#,
            r#""2026-01-02T03:04:05Z""#,
        ),
        ("time", "{}", "null"),
        ("wrapped", r#"{"wrapped":"0"}"#, r#""0""#),
        ("structure", r#"{"structure":{"a":null}}"#, r#"{"a":null}"#),
        ("chosen_text", r#"{"chosenNumber":"1"}"#, "null"),
    ] {
        let path = format!("/{field}");
        assert_eq!(
            response(&library, &path, message),
            (None, json.to_owned()),
            "{message}"
        );
    }
}

#[test]
fn the_order_of_a_fields_encodings_counts() {
    let library = library(
        &[
            method("Inner", r#"get: "/inner" response_body: "inner""#),
            method("Numbers", r#"get: "/numbers" response_body: "numbers""#),
            method("Text", r#"get: "/text" response_body: "chosen_text""#),
            method("Chosen", r#"get: "/chosen" response_body: "chosen_inner""#),
            method("Flag", r#"get: "/flag" response_body: "a_bool""#),
        ]
        .concat(),
    );
    for (path, bytes, json) in [
        (
            "/inner",
            &b"\x8a\x01\x02\x18\x01\x68\x01\x8a\x01\x02\x68\x01"[..],
            r#"{"anInt32":1,"aBool":true}"#,
        ),
        (
            "/numbers",
            b"\xa2\x01\x02\x01\x02\x68\x01\xa2\x01\x00\xa0\x01\x03",
            "[1,2,3]",
        ),
        ("/text", b"\x92\x03\x01a\x98\x03\x01", "null"),
        ("/text", b"\x98\x03\x01\x92\x03\x01a", r#""a""#),
        ("/chosen", b"\xa2\x03\x02\x68\x01\x98\x03\x01", "{}"),
        ("/flag", b"\x68\x01\x68\x00", "false"),
    ] {
        let (_, content) = of_bytes(&library, path, bytes).unwrap();
        assert_eq!(String::from_utf8(content).unwrap(), json);
    }
    for (path, bytes) in [
        ("/inner", &b"\x88\x01\x01"[..]),
        ("/flag", b"\x6a\x00"),
        ("/inner", b"\x8a\x01\x05"),
    ] {
        assert!(of_bytes(&library, path, bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_raw_response_is_its_data() {
    let library = library(
        &[
            method_of("All", "test.All", "google.api.HttpBody", r#"get: "/all""#),
            method_of(
                "Field",
                "test.All",
                "test.rest.Upload",
                r#"get: "/field" response_body: "file""#,
            ),
        ]
        .concat(),
    );
    let pdf = r#"{"contentType":"application/pdf","data":"YWI="}"#;
    let expected = (Some("application/pdf".to_owned()), "ab".to_owned());
    assert_eq!(response(&library, "/all", pdf), expected);
    let field = format!(r#"{{"name":"n","file":{pdf}}}"#);
    assert_eq!(response(&library, "/field", &field), expected);
    let none = (Some("application/octet-stream".to_owned()), String::new());
    assert_eq!(response(&library, "/all", "{}"), none);
    assert_eq!(response(&library, "/field", "{}"), none);
    assert!(matches!(
        of_bytes(&library, "/all", b"\x0a\x01\xff"),
        Err(WriteError::NotUtf8)
    ));
    assert!(of_bytes(&library, "/all", b"\x12\x05a").is_err());
}
