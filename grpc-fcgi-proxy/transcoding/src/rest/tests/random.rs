//! Requests with random values.

use std::sync::LazyLock;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let rule =
        r#"get: "/v1/{inner.a_string}/{inner.an_int64}/{inner.some_bytes}/{maybe_text=a/**}""#;
    library(
        &[
            method("Get", rule),
            method("Echo", r#"post: "/v1" body: "*""#),
            method(
                "Merge",
                r#"post: "/v2/{inner.a_string}/{inner.an_int64}/{inner.chosen_number}" body: "*""#,
            ),
        ]
        .concat(),
    )
});

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn base64(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_URL_SAFE, Engine};
    BASE64_URL_SAFE.encode(bytes)
}

/// The message that a request has as a JSON object, in the form that a reader of it writes.
fn normal(object: &Value) -> String {
    LIBRARY.request("POST", "/v1", &object.to_string())
}

prop_compose! {
    fn scalars()(
        double in any::<f64>(),
        float in any::<f32>(),
        integers in (any::<i32>(), any::<i64>(), any::<u32>(), any::<u64>()),
        flag in any::<bool>(),
        text in any::<String>(),
        bytes in vec(any::<u8>(), 0..20),
        color in -3..4,
        lists in (vec(any::<i32>(), 0..4), vec(any::<String>(), 0..4)),
    ) -> Value {
        let (int32, int64, uint32, uint64) = integers;
        // Zero has a sign, which prost-reflect omits.
        let (double, float) = (double + 0.0, float + 0.0);
        json!({
            "aDouble": double, "aFloat": float, "anInt32": int32, "anInt64": int64.to_string(), "aUint32": uint32,
            "aUint64": uint64.to_string(), "aSint32": int32, "aSint64": int64.to_string(), "aFixed32": uint32,
            "aFixed64": uint64.to_string(), "aSfixed32": int32, "aSfixed64": int64.to_string(), "aBool": flag,
            "aString": text, "someBytes": base64(&bytes), "color": color, "numbers": lists.0, "strings": lists.1,
            "maybeNumber": int32, "chosenText": text, "wrapped": int64.to_string(),
        })
    }
}

/// Each field as a parameter.
fn parameters(object: &Value) -> String {
    let mut parameters = Vec::new();
    for (name, value) in object.as_object().unwrap() {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            parameters.push(format!("{name}={}", escaped(&text)));
        }
    }
    parameters.join("&")
}

/// Parameters of which many are right.
fn query() -> impl Strategy<Value = String> {
    let names = LIBRARY
        .schema
        .message_type(LIBRARY.schema.message("test.All").unwrap());
    let names: Vec<_> = names
        .fields
        .iter()
        .map(|field| field.name.to_string())
        .collect();
    let within = vec(Just("inner."), 0..3).prop_map(|within| within.concat());
    let values = [
        "",
        "0",
        "1",
        "-1",
        "true",
        "RED",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "1s",
        "-0.1s",
        "AA==",
        "NaN",
        "1e400",
        "aB,c",
        "%41",
        "%",
        "+",
    ];
    let parameter = (within, select(names), select(values.to_vec()));
    let parameter = parameter.prop_map(|(within, name, value)| format!("{within}{name}={value}&"));
    vec(parameter, 0..4).prop_map(|parameters| parameters.concat())
}

proptest! {
    #[test]
    fn scalars_come_back_from_path_and_query(
        mut message in scalars(),
        text in "[^/]{1,20}",
        number in any::<i64>(),
        bytes in vec(any::<u8>(), 1..20),
        rest in vec("[a-zé ~._-]{1,5}", 0..4),
    ) {
        let rest = std::iter::once("a".to_owned()).chain(rest);
        let (encoded, plain): (Vec<_>, Vec<_>) = rest.map(|part| (escaped(&part), part)).unzip();
        let path = format!("/v1/{}/{number}/{}/{}", escaped(&text), escaped(&base64(&bytes)), encoded.join("/"));
        let found = LIBRARY.request("GET", &format!("{path}?{}", parameters(&message)), "");
        message["inner"] = json!({ "aString": text, "anInt64": number.to_string(), "someBytes": base64(&bytes) });
        message["maybeText"] = json!(plain.join("/"));
        prop_assert_eq!(found, normal(&message));
    }

    #[test]
    fn a_body_keeps_what_the_path_does_not_have(
        mut message in scalars(),
        inner in scalars(),
        text in "[^/]{1,20}",
        numbers in any::<(i64, i64)>(),
    ) {
        message["inner"] = inner;
        let path = format!("/v2/{}/{}/{}", escaped(&text), numbers.0, numbers.1);
        let found = LIBRARY.request("POST", &path, &message.to_string());
        let inner = message["inner"].as_object_mut().unwrap();
        inner.remove("chosenText");
        inner.insert("aString".to_owned(), json!(text));
        inner.insert("anInt64".to_owned(), json!(numbers.0.to_string()));
        inner.insert("chosenNumber".to_owned(), json!(numbers.1.to_string()));
        let [found, expected] = [found, normal(&message)].map(|text| serde_json::from_str::<Value>(&text).unwrap());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_request_is_a_message_or_an_error(path in "/v1(/[a-z%0-9:.]{0,5}){0,6}", query in query(), text in any::<String>()) {
        let known = "/v1/a/1/AA==/a";
        for (path, query) in [(&*path, &*query), (known, &query), (&text, &text), (known, &text)] {
            for unknown in [Unknown::Refuse, Unknown::Drop] {
                let Ok(found) = LIBRARY.find("GET", path) else { continue };
                let mut bytes = Vec::new();
                if found.request(&LIBRARY.schema, Some(query), None, b"", unknown, &mut bytes).is_ok() {
                    let mut json = Vec::new();
                    let written = LIBRARY.schema.write_json(found.route.request, &bytes, &mut json);
                    prop_assert!(written.is_ok(), "{query}: {written:?}");
                }
            }
        }
    }
}
