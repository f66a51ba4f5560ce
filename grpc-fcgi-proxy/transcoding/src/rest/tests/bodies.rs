//! The bodies of requests, and what replaces a part of them.

use super::*;

#[test]
fn a_body_is_the_message() {
    let library = library(&method("Post", r#"post: "/v1/{a_string}" body: "*""#));
    let body = r#"{"aString":"body","anInt32":1}"#;
    assert_eq!(
        library.request("POST", "/v1/path", body),
        r#"{"anInt32":1,"aString":"path"}"#
    );
    assert_eq!(
        library.request("POST", "/v1/path", " "),
        r#"{"aString":"path"}"#
    );
    assert_eq!(
        library.error("POST", "/v1/path", "{"),
        "the body is malformed: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        library.error("POST", "/v1/path?an_int32=1", body),
        r#"the query parameter "an_int32" is part of the body: send it there"#
    );
    assert!(
        library
            .error("POST", "/v1/path?x=1", body)
            .contains("is unknown")
    );
    assert!(
        library
            .bytes("POST", "/v1/path?x=1", body, Unknown::Drop)
            .is_ok()
    );
}

#[test]
fn a_body_is_a_field() {
    let rule = |field| format!(r#"patch: "/v1/{field}" body: "{field}""#);
    let fields = ["book", "others", "counts", "count", "numbers"];
    let methods =
        fields.map(|field| method_of(field, "test.rest.UpdateBook", "test.All", &rule(field)));
    let nested = method_of(
        "Nested",
        "test.rest.UpdateBook",
        "test.All",
        r#"patch: "/v2/{book.name=shelves/*}" body: "book""#,
    );
    let library = library(&format!("{}{nested}", methods.concat()));
    for (field, body) in [
        ("book", r#"{"title":"a"}"#),
        ("book", "{}"),
        ("others", r#"[{"title":"a"},{}]"#),
        ("counts", r#"{"a":1}"#),
        ("count", "5"),
        ("numbers", "[1,2]"),
    ] {
        let json = format!(r#"{{"{field}":{body}}}"#);
        assert_eq!(
            library.request("PATCH", &format!("/v1/{field}"), body),
            json
        );
    }
    assert_eq!(library.request("PATCH", "/v1/book", "null"), "{}");
    for (field, json) in [
        ("book", r#"{"book":{}}"#),
        ("others", "{}"),
        ("counts", "{}"),
        ("count", "{}"),
    ] {
        let path = format!("/v1/{field}");
        assert_eq!(library.request("PATCH", &path, " "), json);
    }
    assert_eq!(
        library.request(
            "PATCH",
            "/v2/shelves/1?validate_only=true",
            r#"{"name":"x","title":"a"}"#
        ),
        r#"{"book":{"name":"shelves/1","title":"a"},"validateOnly":true}"#
    );
    assert!(
        library
            .error("PATCH", "/v1/book", "[]")
            .contains("the body is malformed")
    );
    assert!(
        library
            .error("PATCH", "/v1/book", "{} {}")
            .contains("trailing characters")
    );
    assert!(
        library
            .error("PATCH", "/v1/book?book.title=b", "{}")
            .contains(r#""book.title" is part of the body"#)
    );
}

#[test]
fn a_parameter_does_not_clear_a_body_of_the_same_oneof() {
    let library = library(&method("Post", r#"post: "/v1" body: "chosen_text""#));
    assert_eq!(
        library.error("POST", "/v1?chosen_inner.a_bool=true", r#""a""#),
        r#"the query parameter "chosen_inner.a_bool" and the body exclude each other: send one of them"#
    );
    for body in ["", "null"] {
        assert_eq!(
            library.request("POST", "/v1?chosen_number=1", body),
            r#"{"chosenNumber":"1"}"#
        );
    }
    assert_eq!(
        library.request("POST", "/v1?maybe_text=b", r#""a""#),
        r#"{"maybeText":"b","chosenText":"a"}"#
    );
}

#[test]
fn a_path_replaces_what_body_and_query_have() {
    let library = library(
        &[
            method("Time", r#"post: "/time/{time}" body: "*""#),
            method("Wrapped", r#"post: "/wrapped/{wrapped}" body: "*""#),
            method("Chosen", r#"post: "/chosen/{chosen_text}" body: "*""#),
            method("Get", r#"get: "/v1/{inner.a_string}""#),
            method("Choose", r#"get: "/choose/{chosen_number}""#),
        ]
        .concat(),
    );
    let body = r#"{"time":"2026-01-02T03:04:05.600Z","wrapped":"7","chosenInner":{"aBool":true}}"#;
    // Of a Timestamp or a wrapper, zero is not encoded, and would not replace what the body has.
    for (path, part) in [
        (
            "/time/1970-01-01T00:00:00Z",
            r#""time":"1970-01-01T00:00:00Z""#,
        ),
        ("/wrapped/0", r#""wrapped":"0""#),
        ("/chosen/a", r#"{"chosenText":"a""#),
    ] {
        let json = library.request("POST", path, body);
        assert!(json.contains(part), "{json}");
    }
    assert_eq!(
        library.request("GET", "/v1/path?inner.aString=query&inner.aBool=true", ""),
        r#"{"inner":{"aBool":true,"aString":"path"}}"#
    );
    assert_eq!(
        library.request("GET", "/choose/1?chosen_text=a", ""),
        r#"{"chosenNumber":"1"}"#
    );
}

#[test]
fn a_rule_without_a_body_takes_none() {
    let library = library(&method("Get", r#"get: "/v1/all""#));
    assert_eq!(library.request("GET", "/v1/all", " {} "), "{}");
    assert_eq!(
        library.error("GET", "/v1/all", r#"{"aBool":true}"#),
        "this path takes no body: send the fields as query parameters"
    );
}

#[test]
fn a_raw_body_is_any_content() {
    let library = library(
        &[
            method_of(
                "Field",
                "test.rest.Upload",
                "test.All",
                r#"post: "/v1/{name}" body: "file""#,
            ),
            method_of(
                "All",
                "google.api.HttpBody",
                "test.All",
                r#"post: "/v1" body: "*""#,
            ),
            method_of(
                "None",
                "test.rest.Upload",
                "test.All",
                r#"get: "/v1/{name}""#,
            ),
        ]
        .concat(),
    );
    assert_eq!(
        library.request("POST", "/v1/a", "{\0"),
        r#"{"name":"a","file":{"contentType":"text/x","data":"ewA="}}"#
    );
    assert_eq!(
        library.request("POST", "/v1", "a"),
        r#"{"contentType":"text/x","data":"YQ=="}"#
    );
    let found = library.find("POST", "/v1/a").unwrap();
    let mut bytes = Vec::new();
    let request = found.request(
        &library.schema,
        None,
        None,
        b"",
        Unknown::Refuse,
        &mut bytes,
    );
    request.unwrap();
    assert_eq!(
        library.json("POST", "/v1/a", &bytes),
        r#"{"name":"a","file":{}}"#
    );
    assert_eq!(
        library.request("GET", "/v1/a?file.content_type=text/x", ""),
        r#"{"name":"a","file":{"contentType":"text/x"}}"#
    );
}
