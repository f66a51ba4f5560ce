//! Requests that try to cost much.

use super::*;

fn get() -> Library {
    library(&method("Get", r#"get: "/v1/{a_string=**}""#))
}

#[test]
fn depth_is_bounded() {
    let library = get();
    let name = |depth: usize| format!("{}a_bool=true", "inner.".repeat(depth));
    let json = library.request("GET", &format!("/v1?{}", name(99)), "");
    assert_eq!(json.matches("inner").count(), 99);
    for depth in [100, 10_000] {
        let error = library.error("GET", &format!("/v1?{}", name(depth)), "");
        assert!(
            error.ends_with("names more than 100 fields within each other"),
            "{error}"
        );
        assert!(error.len() < 400, "{error}");
    }
}

#[test]
fn the_number_of_parameters_is_bounded() {
    let library = get();
    let query = |count: usize| format!("/v1?{}", "numbers=1&".repeat(count));
    let bytes = library
        .bytes("GET", &query(10_000), "", Unknown::Refuse)
        .unwrap();
    assert_eq!(bytes.len(), 10_000 * 3 + 2);
    assert_eq!(
        library.error("GET", &query(100_000), ""),
        "the query has more than 10000 parameters: send fewer in one request"
    );
    let unknown = format!("/v1?{}", "x=1&".repeat(100_000));
    assert!(library.bytes("GET", &unknown, "", Unknown::Drop).is_err());
}

#[test]
fn a_message_is_not_much_longer_than_its_query() {
    let library = get();
    let deep = format!("{}strings=&", "inner.".repeat(99));
    let query = format!("/v1?{}", deep.repeat(100));
    let bytes = library.bytes("GET", &query, "", Unknown::Refuse).unwrap();
    assert!(bytes.len() < query.len(), "{}", bytes.len());
}

#[test]
fn an_error_does_not_repeat_a_long_text() {
    let library = library(&method("Get", r#"get: "/v1/{an_int32}""#));
    let long = "\u{1f}x".repeat(100_000);
    let encoded = long.replace('\u{1f}', "%1f");
    for target in [
        format!("/v1/{encoded}"),
        format!("/v1/1?{encoded}=1"),
        format!("/v1/1?color={encoded}"),
        format!("/v1/1?time={encoded}"),
        format!("/v1/1?an_int64={encoded}"),
        format!("/v1/1?{encoded}=%"),
    ] {
        let error = library.error("GET", &target, "");
        assert!(error.len() < 2000, "{error}");
        assert!(!error.contains('\u{1f}'), "{error}");
    }
}

#[test]
fn a_long_path_costs_its_length() {
    let library = library(
        &[
            method("Get", r#"get: "/v1/{a_string=**}""#),
            method("Deep", r#"get: "/*/*/*/*/*/*/*/*""#),
            method("Verb", r#"post: "/**:a""#),
        ]
        .concat(),
    );
    let long = "/a".repeat(1_000_000);
    let (name, values) = library.route("GET", &format!("/v1{long}")).unwrap();
    assert_eq!(name, "Get");
    assert_eq!(values, [&long[1..]]);
    assert_eq!(library.route("GET", &long), Err(NotFound::Path));
    let colons = format!("/{}", ":a".repeat(1_000_000));
    assert_eq!(library.route("POST", &colons).unwrap().0, "Verb");
}
