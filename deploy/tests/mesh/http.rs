//! Requests to the ingress by HTTP, as curl sends them.

use std::fs;

use serde_json::Value;

use crate::pods::{curl_with, index_url, state};

/// The URL of a path of the ingress.
pub(crate) fn url(path: &str) -> String {
    let url = index_url();
    format!("{}{path}", url.strip_suffix("/index").unwrap())
}

/// The key that `script/run` has made.
pub(crate) fn secret() -> String {
    fs::read_to_string(state("key")).unwrap().trim().to_owned()
}

/// The header with that key.
pub(crate) fn key() -> String {
    header(&secret())
}

/// The header with a key.
pub(crate) fn header(key: &str) -> String {
    format!("x-api-key: {key}")
}

/// The status and the JSON of the response.
pub(crate) fn send(
    method: &str,
    path: &str,
    headers: &[&str],
    body: Option<&Value>,
) -> (u16, Value) {
    let mut options = vec!["--request", method];
    for header in headers {
        options.extend(["--header", header]);
    }
    let body = body.map(Value::to_string);
    if let Some(body) = &body {
        options.extend(["--data-raw", body]);
    }
    let (status, text) = curl_with(&options, &url(path));
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{method} {path}: {status}, {error}: {text}"));
    (status, json)
}

/// The JSON of the response to a read, which must succeed.
pub(crate) fn get(path: &str) -> Value {
    let (status, json) = send("GET", path, &[], None);
    assert_eq!(status, 200, "{path}: {json}");
    json
}

/// The JSON of the response to a request with the key, which must succeed.
pub(crate) fn write(method: &str, path: &str, body: Option<&Value>) -> Value {
    let (status, json) = send(method, path, &[&key()], body);
    assert_eq!(status, 200, "{method} {path}: {json}");
    json
}

/// That the response is an error as google.rpc.Status.
pub(crate) fn assert_error(response: &(u16, Value), status: u16, code: u32) {
    assert_eq!(
        (response.0, &response.1["code"]),
        (status, &code.into()),
        "{response:?}"
    );
    assert!(response.1["message"].is_string(), "{response:?}");
}
