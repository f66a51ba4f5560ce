//! Queries and paths as messages.

use super::*;

fn query() -> Library {
    library(&method("Get", r#"get: "/v1/all""#))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn parameters_are_fields() {
    let library = query();
    for (query, json) in [
        ("", "{}"),
        ("&&", "{}"),
        ("aString=a", r#"{"aString":"a"}"#),
        ("a_string=a&an_int32=-5", r#"{"anInt32":-5,"aString":"a"}"#),
        ("a_string=a+b%2B%26%C3%A9%3D=", r#"{"aString":"a b+&é=="}"#),
        ("%61_string=a", r#"{"aString":"a"}"#),
        ("maybe_text", r#"{"maybeText":""}"#),
        (
            "numbers=1&unpacked=3&numbers=2",
            r#"{"numbers":[1,2],"unpacked":[3]}"#,
        ),
        ("strings=&strings=a,b", r#"{"strings":["","a,b"]}"#),
        (
            "colors=RED&colors=-2&colors=7&color=BLUE",
            r#"{"color":"BLUE","colors":["RED","BLUE",7]}"#,
        ),
        (
            "aBool=true&inner.aBool=false",
            r#"{"aBool":true,"inner":{}}"#,
        ),
        (
            "inner.a_string=a&inner.inner.numbers=1&inner.an_int32=1",
            r#"{"inner":{"anInt32":1,"aString":"a","inner":{"numbers":[1]}}}"#,
        ),
        (
            "a_double=1e3&a_float=-Infinity",
            r#"{"aDouble":1000.0,"aFloat":"-Infinity"}"#,
        ),
        (
            "aUint64=18446744073709551615&aSint64=-9223372036854775808",
            r#"{"aUint64":"18446744073709551615","aSint64":"-9223372036854775808"}"#,
        ),
        ("someBytes=%2B/8%3D", r#"{"someBytes":"+/8="}"#),
        ("someBytes=-_8", r#"{"someBytes":"+/8="}"#),
        (
            "time=2026-01-02T03:04:05.600Z&duration=-1.5s",
            r#"{"time":"2026-01-02T03:04:05.600Z","duration":"-1.500s"}"#,
        ),
        (
            "mask=aDouble,inner.color",
            r#"{"mask":"aDouble,inner.color"}"#,
        ),
        (
            "wrapped=0&wrapped_text=",
            r#"{"wrapped":"0","wrappedText":""}"#,
        ),
        ("chosen_text=a", r#"{"chosenText":"a"}"#),
        ("chosenNull=NULL_VALUE", r#"{"chosenNull":null}"#),
        (
            "chosen_inner.a_bool=true&chosen_inner.a_string=x",
            r#"{"chosenInner":{"aBool":true,"aString":"x"}}"#,
        ),
    ] {
        assert_eq!(
            library.request("GET", &format!("/v1/all?{query}"), ""),
            json,
            "{query}"
        );
    }
    let library = super::library(&method_of(
        "Get",
        "test.rest.Book",
        "test.All",
        r#"get: "/v1""#,
    ));
    assert_eq!(
        library.request(
            "GET",
            "/v1?lent=false&lentAt=2026-01-01T00:00:00Z&lent_at=1970-01-01T00:00:00Z",
            ""
        ),
        r#"{"lent":false,"lentAt":["2026-01-01T00:00:00Z","1970-01-01T00:00:00Z"]}"#
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_refused_parameter_is_named() {
    let library = query();
    for (query, error) in [
        (
            "nothing=1",
            r#"the query parameter "nothing" is unknown: the message has no such field"#,
        ),
        (
            "inner.nothing=1",
            r#"the query parameter "inner.nothing" is unknown"#,
        ),
        ("=1", r#"the query parameter "" is unknown"#),
        ("inner.=1", r#""inner." is unknown"#),
        (
            "texts=1",
            r#""texts" is a map, which only a body can contain"#,
        ),
        (
            "texts.a=1",
            r#""texts.a" names a field within one that is no single message"#,
        ),
        ("texts[a]=1", r#""texts[a]" is unknown"#),
        ("list=1", r#""list" is a list of messages"#),
        ("list.a_bool=true", r#""list.a_bool" names a field within"#),
        (
            "inner={}",
            r#""inner" is a message: name a field within it"#,
        ),
        (
            "structure={}",
            r#""structure" is a message that only a body can contain"#,
        ),
        ("any=", r#""any" is a message that only"#),
        ("value=1", r#""value" is a message that only"#),
        (
            "any.type_url=a",
            r#""any.type_url" names a field within one that is no single message"#,
        ),
        (
            "time.seconds=1&time=2026-01-01T00:00:00Z",
            r#""time" is sent both as one value and field by field: send one of the two"#,
        ),
        (
            "wrapped=1&wrapped.value=1",
            r#""wrapped.value" is sent both as one value and field by field"#,
        ),
        (
            "an_int32=1&anInt32=1",
            r#""anInt32" occurs twice, and takes one value"#,
        ),
        (
            "time=2026-01-01T00:00:00Z&time=2026-01-01T00:00:00Z",
            r#""time" occurs twice"#,
        ),
        (
            "chosen_text=a&chosen_number=1",
            r#""chosen_number" and another field exclude each other"#,
        ),
        (
            "chosen_inner.a_bool=true&chosen_number=1",
            r#""chosen_number" and another field exclude"#,
        ),
        (
            "an_int32=x",
            r#""an_int32" has a malformed value: invalid value: string "x", expected an integer"#,
        ),
        (
            "an_int32=",
            r#"invalid value: string "", expected an integer"#,
        ),
        (
            "an_int32=3000000000",
            "has a malformed value: 3000000000 is out of range",
        ),
        ("an_int32=+1", "expected an integer"),
        (
            "aBool=yes",
            r#"invalid type: string "yes", expected true or false"#,
        ),
        (
            "aBool=tRUE",
            r#"invalid type: string "tRUE", expected true or false"#,
        ),
        (
            "color=GREEN",
            r#"string "GREEN", expected the name or number of an enum value"#,
        ),
        ("someBytes=*", "expected bytes in base64"),
        ("time=yesterday", r#""time" has a malformed value"#),
        ("duration=1", r#""duration" has a malformed value"#),
        ("wrapped=x", r#""wrapped" has a malformed value"#),
        (
            "a_string=%",
            r#""a_string" has a percent sign without two hexadecimal digits"#,
        ),
        (
            "a_string=%ff",
            r#""a_string" has a percent sign without two hexadecimal digits, or is not UTF-8"#,
        ),
        ("%ff=1", r#""%ff" has a percent sign"#),
    ] {
        let found = library.error("GET", &format!("/v1/all?{query}"), "");
        assert!(found.contains(error), "{query}: {found}");
    }
}

#[test]
fn booleans_are_those_of_go() {
    let library = library(
        &[
            method("Get", r#"get: "/v1/all""#),
            method("Path", r#"get: "/v1/{maybe_text}/{a_bool}""#),
            method_of("Book", "test.rest.Book", "test.All", r#"get: "/v1/book""#),
        ]
        .concat(),
    );
    for (texts, is_true) in [
        (["1", "t", "T", "true", "TRUE", "True"], true),
        (["0", "f", "F", "false", "FALSE", "False"], false),
    ] {
        for text in texts {
            let all = if is_true { r#"{"aBool":true}"# } else { "{}" };
            let target = format!("/v1/all?a_bool={text}");
            assert_eq!(library.request("GET", &target, ""), all, "{text}");
            let path = library.request("GET", &format!("/v1/a/{text}"), "");
            assert_eq!(path.contains("true"), is_true, "{text}");
            let book = library.request("GET", &format!("/v1/book?lent={text}"), "");
            assert_eq!(book, format!(r#"{{"lent":{is_true}}}"#), "{text}");
        }
    }
}

#[test]
fn fields_of_well_known_types_are_parameters() {
    let library = query();
    for (query, json) in [
        ("wrapped_text.value=a", r#"{"wrappedText":"a"}"#),
        ("wrapped.value=0", r#"{"wrapped":"0"}"#),
        ("time.seconds=1", r#"{"time":"1970-01-01T00:00:01Z"}"#),
        (
            "duration.nanos=500000000&duration.seconds=1&inner.time.seconds=0",
            r#"{"inner":{"time":"1970-01-01T00:00:00Z"},"duration":"1.500s"}"#,
        ),
        (
            "mask.paths=a_double&mask.paths=inner.a_bool",
            r#"{"mask":"aDouble,inner.aBool"}"#,
        ),
    ] {
        let target = format!("/v1/all?{query}");
        assert_eq!(library.request("GET", &target, ""), json, "{query}");
    }
    let library = super::library(&method("Get", r#"post: "/v1/{time.seconds}" body: "*""#));
    assert_eq!(
        library.request("POST", "/v1/1", r#"{"time":"2026-01-02T03:04:05.600Z"}"#),
        r#"{"time":"1970-01-01T00:00:01.600Z"}"#
    );
}

#[test]
fn what_is_unknown_can_be_dropped() {
    let library = query();
    let dropped = |query: &str| {
        let target = format!("/v1/all?{query}");
        let bytes = library.bytes("GET", &target, "", Unknown::Drop);
        bytes.map(|bytes| library.json("GET", &target, &bytes))
    };
    assert_eq!(
        dropped("nothing=1&inner.nothing=%20&color=GREEN&aBool=true&colors=RED&colors=GREEN")
            .unwrap(),
        r#"{"aBool":true,"colors":["RED"]}"#
    );
    for query in ["texts=1", "list=1", "an_int32=x", "a_string=%"] {
        assert!(dropped(query).is_err(), "{query}");
    }
    let library = super::library(&method("Get", r#"get: "/{color}""#));
    assert!(library.bytes("GET", "/GREEN", "", Unknown::Drop).is_err());
}

#[test]
fn a_variable_has_the_type_of_its_field() {
    let library = library(
        &[
            method("Number", r#"get: "/number/{inner.an_int32}""#),
            method("Bytes", r#"get: "/bytes/{some_bytes}""#),
            method("Time", r#"get: "/time/{time}""#),
            method("Color", r#"get: "/color/{color}""#),
        ]
        .concat(),
    );
    for (path, json) in [
        ("/number/-1", r#"{"inner":{"anInt32":-1}}"#),
        ("/bytes/-_8", r#"{"someBytes":"+/8="}"#),
        (
            "/time/2026-01-02T03:04:05Z",
            r#"{"time":"2026-01-02T03:04:05Z"}"#,
        ),
        ("/color/RED", r#"{"color":"RED"}"#),
        ("/color/-2", r#"{"color":"BLUE"}"#),
    ] {
        assert_eq!(library.request("GET", path, ""), json);
    }
    assert_eq!(
        library.error("GET", "/number/x", ""),
        r#"in the path, anInt32 has a malformed value: invalid value: string "x", expected an integer"#
    );
}
