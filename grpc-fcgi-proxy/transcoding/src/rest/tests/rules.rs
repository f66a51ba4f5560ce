//! Which rules are accepted, and what is known of them.

use super::*;
use crate::rest::{RequestBody, ResponseBody, Segment};

/// The reason why the rule of a method is refused.
fn refused(request: &str, rule: &str) -> String {
    let error = routes(&method_of("Get", request, "test.All", rule));
    match error.err() {
        Some(RuleError::Invalid { method, reason, .. }) => {
            assert_eq!(method, "/test.rest.Library/Get");
            reason
        }
        other => panic!("{rule}: {other:?}"),
    }
}

#[test]
fn a_schema_without_rules_has_no_routes() {
    let library = library("rpc Get(test.All) returns (test.All);");
    assert!(library.routes.is_empty());
    assert_eq!(library.find("GET", "/"), Err(NotFound::Path));
    assert!(Routes::of(&Schema::default()).unwrap().is_empty());
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.route, &other.route) && self.values == other.values
    }
}

#[test]
fn every_verb_can_have_a_rule() {
    let rules = ["get", "put", "post", "delete", "patch"]
        .map(|verb| method(&verb.to_uppercase(), &format!("{verb}: \"/v1/all\"")));
    let custom = r#"custom { kind: "REPORT" path: "/v1/all" }"#;
    let any = r#"custom { kind: "*" path: "/v1/all" }"#;
    let methods = format!(
        "{}{}{}",
        rules.concat(),
        method("REPORT", custom),
        method("Any", any)
    );
    let library = library(&methods);
    for verb in ["GET", "PUT", "POST", "DELETE", "PATCH", "REPORT"] {
        assert_eq!(library.route(verb, "/v1/all").unwrap().0, verb);
    }
    assert_eq!(library.route("OPTIONS", "/v1/all").unwrap().0, "Any");
}

#[test]
fn a_method_has_its_additional_bindings_in_order() {
    let rule = r#"get: "/v1/{a_string}" additional_bindings { post: "/v2" body: "*" }
        additional_bindings { get: "/v3" response_body: "inner" }"#;
    let library = library(&format!(
        "{}{}",
        method("One", rule),
        method("Two", r#"get: "/""#)
    ));
    let routes: Vec<_> = library
        .routes
        .routes()
        .map(|route| format!("{} {} {}", route.verb(), route.template(), route.method()))
        .collect();
    assert_eq!(
        routes,
        [
            "GET /v1/{a_string} /test.rest.Library/One",
            "POST /v2 /test.rest.Library/One",
            "GET /v3 /test.rest.Library/One",
            "GET / /test.rest.Library/Two"
        ]
    );
    let route = library.routes.routes().nth(2).unwrap();
    assert_eq!(route.response_body_field(&library.schema), Some("inner"));
    assert_eq!(route.request_body_field(&library.schema), None);
}

#[test]
fn a_template_shows_its_segments_and_variables() {
    let rule = r#"get: "/v1/{inner.a_string=shelves/*/**}:read""#;
    let library = library(&method("Get", rule));
    let template = library.routes.routes().next().unwrap().template();
    assert_eq!(
        template.segments(),
        [
            Segment::Literal("v1".to_owned()),
            Segment::Literal("shelves".to_owned()),
            Segment::Single,
            Segment::Rest
        ]
    );
    let [variable] = template.variables() else {
        panic!("{template:?}")
    };
    assert_eq!(variable.field, "inner.a_string");
    assert_eq!(variable.segments, 1..4);
    assert!(variable.is_multiple);
    assert_eq!(template.verb(), "read");
}

#[test]
fn a_route_knows_its_bodies_and_streams() {
    let upload = "test.rest.Upload";
    let raw = "google.api.HttpBody";
    let methods = [
        method("None", r#"get: "/1""#),
        method("Json", r#"post: "/2" body: "*""#),
        method_of("Field", upload, raw, r#"post: "/3" body: "file""#),
        method_of(
            "Raw",
            raw,
            upload,
            r#"post: "/4" body: "*" response_body: "file""#,
        ),
        method_of(
            "Stream",
            "stream test.All",
            "stream test.All",
            r#"post: "/5" body: "inner""#,
        ),
    ];
    let library = library(&methods.concat());
    let known: Vec<_> = library
        .routes
        .routes()
        .map(|route| {
            let bodies = (route.request_body(), route.response_body());
            (bodies, route.client_streaming(), route.server_streaming())
        })
        .collect();
    use RequestBody::{Json, None, Raw};
    assert_eq!(
        known,
        [
            ((None, ResponseBody::Json), false, false),
            ((Json, ResponseBody::Json), false, false),
            ((Raw, ResponseBody::Raw), false, false),
            ((Raw, ResponseBody::Raw), false, false),
            ((Json, ResponseBody::Json), true, true),
        ]
    );
}

#[test]
fn a_malformed_template_is_refused() {
    for (template, reason) in [
        ("v1", "it does not begin with /"),
        ("", "it does not begin with /"),
        ("/v1/", "it has an empty segment"),
        ("//v1", "it has an empty segment"),
        ("/v1/{a_string", "lacks its closing brace"),
        ("/v1/{a_string}x", "a variable is not followed by /"),
        ("/v1/x{a_string}", "is neither a literal nor"),
        ("/v1/{a_string=}", "it has an empty segment"),
        ("/v1/{a_string={a_string}}", "is neither a literal nor"),
        ("/v1/a*", "is neither a literal nor"),
        ("/v1/%zz", "is neither a literal nor"),
        ("/v1/a b", "is neither a literal nor"),
        ("/v1/**/a", "** is not its last segment"),
        ("/v1/{a_string=**}/a", "** is not its last segment"),
        ("/v1/{a_string=**/a}", "** is not its last segment"),
        ("/v1:", "its verb is not a literal"),
        ("/v1:*", "its verb is not a literal"),
    ] {
        let error = refused("test.All", &format!("get: \"{template}\""));
        assert!(error.contains(reason), "{template}: {error}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_rule_that_does_not_fit_its_message_is_refused() {
    for (rule, reason) in [
        (
            r#"get: "/{nothing}""#,
            "its variable \"nothing\" is unknown",
        ),
        (r#"get: "/{inner.nothing}""#, "is unknown"),
        (r#"get: "/{}""#, "is unknown"),
        (r#"get: "/{inner}""#, "is a message: name a field within it"),
        (
            r#"get: "/{a_string.x}""#,
            "names a field within one that is no single message",
        ),
        (
            r#"get: "/{list.a_string}""#,
            "names a field within one that is no single message",
        ),
        (
            r#"get: "/{structure.fields}""#,
            "names a field within one that is no single message",
        ),
        (
            r#"get: "/{time}/{time.seconds}""#,
            "is sent both as one value and field by field",
        ),
        (r#"get: "/{mask.paths}""#, "is repeated"),
        (r#"get: "/{numbers}""#, "is repeated"),
        (r#"get: "/{list}""#, "is a list of messages"),
        (r#"get: "/{texts}""#, "is a map"),
        (
            r#"get: "/{any}""#,
            "is a message that only a body can contain",
        ),
        (r#"get: "/{mask}""#, "is a FieldMask"),
        (r#"get: "/{a_string}/{aString}""#, "occurs twice"),
        (
            r#"get: "/{chosen_text}/{chosen_number}""#,
            "exclude each other",
        ),
        (
            r#"post: "/" body: "nothing""#,
            "its body \"nothing\" is not a top-level field of test.All",
        ),
        (
            r#"post: "/" body: "inner.inner""#,
            "its body \"inner.inner\" is not a top-level field",
        ),
        (
            r#"post: "/" response_body: "nothing""#,
            "its response_body \"nothing\" is not a top-level field",
        ),
        (r#"get: "/" body: "*""#, "GET has no body: remove `body`"),
        (
            r#"custom { kind: "HEAD" path: "/" } body: "*""#,
            "HEAD has no body",
        ),
        (
            r#"custom { kind: "A B" path: "/" }"#,
            "is not an HTTP method",
        ),
        (r#"custom { path: "/" }"#, "is not an HTTP method"),
        (r#"body: "*""#, "it has no path"),
        (
            r#"get: "/" additional_bindings { get: "/a" additional_bindings { get: "/b" } }"#,
            "additional_bindings contain additional_bindings",
        ),
    ] {
        let error = refused("test.All", rule);
        assert!(error.contains(reason), "{rule}: {error}");
    }
}

#[test]
fn delete_can_have_a_body() {
    let rule = r#"delete: "/v1/{a_string}" body: "*""#;
    let library = library(&method("Delete", rule));
    assert_eq!(
        library.request("DELETE", "/v1/a", r#"{"aBool":true}"#),
        r#"{"aBool":true,"aString":"a"}"#
    );
}

#[test]
fn scalars_and_messages_with_a_text_are_variables() {
    for field in [
        "an_int64",
        "someBytes",
        "color",
        "time",
        "duration",
        "time.seconds",
        "wrapped",
        "wrapped.value",
        "inner.inner.a_bool",
    ] {
        library(&method("Get", &format!("get: \"/{{{field}}}\"")));
    }
}

#[test]
fn a_group_is_neither_body_nor_variable() {
    for rule in [r#"post: "/" body: "part""#, r#"get: "/{part.number}""#] {
        let schema = schema(format!(
            r#"
            syntax = "proto2";
            package test;
            import "google/api/annotations.proto";
            message Old {{ optional group Part = 1 {{ optional int32 number = 1; }} }}
            service S {{ rpc Get(Old) returns (Old) {{ option (google.api.http) = {{ {rule} }}; }} }}
            "#
        ));
        let error = Routes::of(&schema).unwrap_err().to_string();
        assert!(error.contains("is a group"), "{error}");
    }
}

#[test]
fn rules_that_match_the_same_requests_are_refused() {
    for (first, second) in [
        (r#"get: "/v1/{a_string}""#, r#"get: "/v1/{an_int32}""#),
        (r#"get: "/v1/*""#, r#"get: "/v1/{an_int32}""#),
        (r#"get: "/{a_string=v1/*}""#, r#"get: "/v1/{an_int32}""#),
        (r#"get: "/v1/a/**""#, r#"get: "/v1/{a_string=a/**}""#),
        (r#"post: "/v1:a""#, r#"post: "/v1:a""#),
        (r#"get: "/%61""#, r#"get: "/a""#),
        (
            r#"custom { kind: "*" path: "/a" }"#,
            r#"custom { kind: "*" path: "/a" }"#,
        ),
    ] {
        let error = routes(&format!(
            "{}{}",
            method("One", first),
            method("Two", second)
        ));
        let error = error.err().expect(first).to_string();
        assert!(error.contains("of /test.rest.Library/One and "), "{error}");
        assert!(
            error.contains("of /test.rest.Library/Two match the same"),
            "{error}"
        );
    }
}

#[test]
fn a_path_of_grpc_is_not_one_of_a_rule() {
    let rule = r#"post: "/test.rest.Library/Get" body: "*""#;
    let error = routes(&method("Get", rule)).err().unwrap().to_string();
    assert_eq!(
        error,
        "the google.api.http rules POST /test.rest.Library/Get of /test.rest.Library/Get and that of gRPC, \
         POST /test.rest.Library/Get match the same requests: change one of them"
    );
    library(&method("Get", r#"post: "/test.rest.Library/Other""#));
}
