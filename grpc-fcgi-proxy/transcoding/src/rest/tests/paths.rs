//! Which route a path has, and which values.

use super::*;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn the_most_specific_template_is_that_of_a_path() {
    let library = library(
        &[
            method("Literal", r#"get: "/v1/books/mine""#),
            method("Single", r#"get: "/v1/books/{a_string}""#),
            method("Rest", r#"get: "/v1/{a_string=**}""#),
            method("Within", r#"get: "/v1/{a_string=books/*/pages/*}""#),
            method(
                "Deep",
                r#"get: "/v1/{a_string=books/*}/{maybe_text=lines/**}""#,
            ),
            method("Verb", r#"get: "/v1/books/{a_string}:read""#),
            method("RestVerb", r#"get: "/v1/{a_string=**}:read""#),
            method("Root", r#"get: "/""#),
        ]
        .concat(),
    );
    for (path, name, values) in [
        ("/v1/books/mine", "Literal", &[][..]),
        ("/v1/books/m%69ne", "Literal", &[]),
        ("/v1/books/other", "Single", &["other"]),
        ("/v1/books/mine/pages/2", "Within", &["books/mine/pages/2"]),
        ("/v1/books/mine/pages", "Rest", &["books/mine/pages"]),
        ("/v1/books/1/lines", "Deep", &["books/1", "lines"]),
        ("/v1/books/1/lines/a/b", "Deep", &["books/1", "lines/a/b"]),
        ("/v1/books/a:read", "Verb", &["a"]),
        ("/v1/books/a:b:read", "Verb", &["a:b"]),
        ("/v1/books/a:write", "Single", &["a:write"]),
        ("/v1/books/a%3Aread", "Single", &["a:read"]),
        ("/v1/a/b:read", "RestVerb", &["a/b"]),
        ("/v1:read", "RestVerb", &[""]),
        ("/v1", "Rest", &[""]),
        ("/v1/", "Rest", &[""]),
        ("/v1/books/", "Rest", &["books/"]),
        ("/", "Root", &[]),
    ] {
        let expected = Ok((name.to_owned(), strings(values)));
        assert_eq!(library.route("GET", path), expected, "{path}");
    }
    for path in ["/v2", "/V1/books/mine", "", "*", "//"] {
        assert_eq!(library.route("GET", path), Err(NotFound::Path), "{path}");
    }
}

#[test]
fn an_empty_segment_is_no_value() {
    let library = library(&method("Get", r#"get: "/v1/{a_string}/x""#));
    assert_eq!(library.route("GET", "/v1//x"), Err(NotFound::Path));
    assert_eq!(library.route("GET", "/v1/a/x/"), Err(NotFound::Path));
    assert!(library.route("GET", "/v1/%20/x").is_ok());
}

#[test]
fn a_less_specific_template_is_used_if_it_alone_has_the_verb() {
    let library = library(
        &[
            method("Mine", r#"post: "/v1/mine""#),
            method("Other", r#"get: "/v1/{a_string}""#),
            method("Cancel", r#"post: "/v1/{a_string}:cancel""#),
            method("Any", r#"custom { kind: "*" path: "/v1/**" }"#),
        ]
        .concat(),
    );
    assert_eq!(library.route("POST", "/v1/mine").unwrap().0, "Mine");
    assert_eq!(library.route("GET", "/v1/mine").unwrap().0, "Other");
    assert_eq!(
        library.route("GET", "/v1/a:cancel").unwrap().1,
        ["a:cancel"]
    );
    assert_eq!(library.route("PUT", "/v1/mine").unwrap().0, "Any");
}

#[test]
fn the_verbs_of_a_path_are_named() {
    let library = library(
        &[
            method("Post", r#"post: "/v1/{a_string}:cancel""#),
            method("Get", r#"get: "/v1/{a_string}""#),
            method("Put", r#"put: "/v1/**""#),
            method("Other", r#"delete: "/v1/a/b""#),
        ]
        .concat(),
    );
    let allowed = strings(&["GET", "POST", "PUT"]);
    let error = library.route("DELETE", "/v1/a:cancel").unwrap_err();
    assert_eq!(error, NotFound::Verb { allowed });
    assert_eq!(
        error.to_string(),
        "this path has no such HTTP method; use GET or POST or PUT"
    );
    // HTTP's methods are case-sensitive.
    assert!(library.route("get", "/v1/a").is_err());
}

#[test]
fn a_value_of_one_segment_is_decoded_whole() {
    let library = library(&method("Get", r#"get: "/v1/{a_string}""#));
    for (path, value) in [
        ("/v1/a%2Fb%2fc", "a/b/c"),
        ("/v1/%C3%A9%20%25%3a+", "é %:+"),
        ("/v1/é", "é"),
    ] {
        assert_eq!(library.route("GET", path).unwrap().1, [value]);
    }
}

#[test]
fn of_several_segments_only_a_slash_stays_encoded() {
    let library = library(
        &[
            method("Rest", r#"get: "/v1/{a_string=**}""#),
            method("Two", r#"get: "/v2/{a_string=a/*}""#),
        ]
        .concat(),
    );
    for (path, value) in [
        ("/v1/a%2Fb/c%2fd", "a%2Fb/c%2fd"),
        ("/v1/%23/%20%2523", "#/ %23"),
        ("/v1/users/a%40b.example", "users/a@b.example"),
        (
            "/v1/%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D",
            ":%2F?#[]@!$&'()*+,;=",
        ),
        ("/v1/%7E%41%C3%A9", "~Aé"),
        ("/v2/a/%2F%62", "a/%2Fb"),
        ("/v2/%61/b", "a/b"),
    ] {
        assert_eq!(library.route("GET", path).unwrap().1, [value]);
    }
}

#[test]
fn a_malformed_path_is_refused() {
    let library = library(&method("Get", r#"get: "/v1/{a_string=**}""#));
    for path in [
        "/v1/%",
        "/v1/%4",
        "/v1/%zz",
        "/v1/%+1",
        "/v1/%ff",
        "/v1/%C3/%A9",
        "/v2/%",
    ] {
        assert_eq!(
            library.route("GET", path),
            Err(NotFound::Malformed),
            "{path}"
        );
    }
}

#[test]
fn what_is_found_can_be_moved_into_a_stream() {
    fn moved<T: Send + Sync + 'static>(_: T) {}
    let library = library(&method("Get", r#"get: "/v1""#));
    moved(library.find("GET", "/v1").unwrap());
}
