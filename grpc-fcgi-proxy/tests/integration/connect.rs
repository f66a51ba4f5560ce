//! Connect, beyond what its own conformance tests look at.

use http::Response;
use serde_json::{Value, json};

use crate::support::{Client, PhpFpm, Proxy, WebClient, code, message, php, serve};

const SERVICE: &str = "/connectrpc.conformance.v1.ConformanceService";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Connect's conformance service.
async fn conformance(flags: &[&str]) -> (PhpFpm, Proxy, WebClient) {
    let php_fpm = PhpFpm::start().await;
    let set = php("conformance/generated/descriptor-set.binpb");
    let own = ["--connect", "--descriptor-set", set.to_str().unwrap()];
    let script = php("conformance/index.php");
    let flags = [&own, flags].concat();
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = WebClient::connect(proxy.address).await;
    (php_fpm, proxy, client)
}

async fn post(client: &mut WebClient, method: &str, request: &Value) -> Response<bytes::Bytes> {
    let path = format!("{SERVICE}/{method}");
    let body = request.to_string().into_bytes();
    client.send("POST", &path, body, &[JSON]).await
}

fn value(response: &Response<bytes::Bytes>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn a_unary_call_is_an_http_request() {
    let (_php_fpm, _proxy, mut client) = conformance(&[]).await;
    let request = json!({"responseDefinition": {"responseData": "aGVsbG8="}});
    let response = post(&mut client, "Unary", &request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(value(&response)["payload"]["data"], "aGVsbG8=");
    let error = json!({"code": "CODE_NOT_FOUND", "message": "not \"there\""});
    let request = json!({"responseDefinition": {"error": error}});
    let response = post(&mut client, "Unary", &request).await;
    assert_eq!(response.status(), 404);
    let error = value(&response);
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("not_found"), &json!("not \"there\""))
    );
    assert_eq!(
        error["details"][0]["type"],
        "connectrpc.conformance.v1.ConformancePayload.RequestInfo"
    );
}

#[tokio::test]
async fn a_request_that_is_not_the_json_of_the_method_is_refused_with_the_reason() {
    let (_php_fpm, _proxy, mut client) = conformance(&["--max-receive-message-size", "1000"]).await;
    let response = post(&mut client, "Unary", &json!({"responseDefinitoin": {}})).await;
    assert_eq!(response.status(), 400);
    let text = "connectrpc.conformance.v1.UnaryRequest has no field \"responseDefinitoin\" at line 1 column 21";
    assert_eq!(
        value(&response),
        json!({"code": "invalid_argument", "message": text})
    );
    // Most of the request is unread when its response has been sent; the connection goes on.
    let large = json!({"requestData": "x".repeat(4 << 20)});
    let response = post(&mut client, "Unary", &large).await;
    assert_eq!(response.status(), 429);
    assert_eq!(value(&response)["code"], "resource_exhausted");
    let response = post(&mut client, "Unary", &json!({})).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn unknown_fields_can_be_dropped() {
    let flags = ["--json-unknown-fields", "drop"];
    let (_php_fpm, _proxy, mut client) = conformance(&flags).await;
    let definition = json!({"responseData": "aGVsbG8=", "of a newer schema": [{}]});
    let request = json!({"responseDefinitoin": {}, "responseDefinition": definition});
    let response = post(&mut client, "Unary", &request).await;
    assert_eq!(value(&response)["payload"]["data"], "aGVsbG8=");
}

/// A request of `ServerStream` that has an unknown field.
async fn grpc_json(flags: &[&str]) -> (tonic::Code, Vec<u8>) {
    let (_php_fpm, proxy, _client) = conformance(flags).await;
    let client = Client::connect(proxy.address).await;
    let definition = json!({"responseData": ["aGVsbG8="]});
    let request = json!({"unknown": 1, "responseDefinition": definition}).to_string();
    let path = format!("{SERVICE}/ServerStream");
    let fields = [("content-type", "application/grpc+json")];
    let response = client.send(&path, message(request.as_bytes()), &fields);
    let response = response.await.unwrap();
    (code(response.status_fields()), response.body.to_vec())
}

#[tokio::test]
async fn grpc_with_json_refuses_or_drops_unknown_fields_too() {
    assert_eq!(grpc_json(&[]).await.0, tonic::Code::InvalidArgument);
    let (code, body) = grpc_json(&["--json-unknown-fields", "drop"]).await;
    assert_eq!(code, tonic::Code::Ok);
    let answer: Value = serde_json::from_slice(&body[5..]).unwrap();
    assert_eq!(answer["payload"]["data"], "aGVsbG8=");
}

#[tokio::test]
async fn json_needs_a_descriptor_set_and_protobuf_does_not() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--connect"]).await;
    let mut client = WebClient::connect(proxy.address).await;
    let path = "/test.Service/Method";
    let response = client.send("POST", path, b"{}".to_vec(), &[JSON]).await;
    assert_eq!(response.status(), 415);
    let text = "JSON needs the method in a descriptor set: see --descriptor-set";
    assert_eq!(value(&response)["message"], text);
    let proto = ("content-type", "application/proto");
    let response = client
        .send("POST", path, b"message".to_vec(), &[proto])
        .await;
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (200, &b"message"[..])
    );
    assert_eq!(response.headers()["content-type"], "application/proto");
}

#[tokio::test]
async fn grpc_stays_as_it_is_beside_other_protocols() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &["--connect", "--grpc-web"]).await;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+other",
    ] {
        let headers = [("content-type", content_type)];
        let path = "/test.Service/Method";
        let response = client.send(path, message(b"a"), &headers).await.unwrap();
        assert_eq!(response.body, message(b"a"), "{content_type}");
        // A field of CORS shows that it was taken for a browser's.
        assert!(!response.headers.contains_key("vary"), "{content_type}");
    }
}

#[tokio::test]
async fn a_page_is_told_that_it_may_read_the_response() {
    const ORIGIN: &str = "https://a.example";
    let (_php_fpm, _proxy, mut client) = conformance(&["--allow-origin", ORIGIN]).await;
    let path = format!("{SERVICE}/Unary");
    for (headers, allowed) in [
        (&[JSON, ("origin", ORIGIN)][..], Some(ORIGIN)),
        (&[JSON, ("origin", "https://b.example")], None),
        (&[JSON], None),
    ] {
        let response = client.send("POST", &path, b"{}".to_vec(), headers).await;
        assert_eq!(response.status(), 200);
        let allow_origin = response.headers().get("access-control-allow-origin");
        assert_eq!(allow_origin.map(|origin| origin.to_str().unwrap()), allowed);
    }
}

#[tokio::test]
async fn only_a_method_without_side_effects_is_called_by_get() {
    let (_php_fpm, _proxy, mut client) = conformance(&[]).await;
    let query = "?connect=v1&encoding=json&message=%7B%7D";
    let path = format!("{SERVICE}/IdempotentUnary{query}");
    let response = client.send("GET", &path, Vec::new(), &[]).await;
    assert_eq!(response.status(), 200);
    assert!(value(&response)["payload"]["requestInfo"].is_object());
    let path = format!("{SERVICE}/Unary{query}");
    let response = client.send("GET", &path, Vec::new(), &[]).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
}

#[tokio::test]
async fn what_is_no_connect_is_refused() {
    let (_php_fpm, _proxy, mut client) =
        conformance(&["--allow-origin", "https://a.example"]).await;
    for (content_type, status) in [
        ("text/html", 415),
        ("application/grpc", 415),
        ("application/grpc-web+proto", 415),
        // A stream is asked for by another content type.
        ("application/connect+json", 415),
    ] {
        let path = format!("{SERVICE}/Unary");
        let headers = [("content-type", content_type)];
        let response = client.send("POST", &path, Vec::new(), &headers).await;
        assert_eq!(response.status(), status, "{content_type}");
    }
    let preflight = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "POST"),
    ];
    let response = client
        .send("OPTIONS", SERVICE, Vec::new(), &preflight)
        .await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://a.example"
    );
}

#[tokio::test]
async fn an_incomplete_descriptor_set_is_refused_before_a_port_is_bound() {
    refused(&["--connect"], "--connect").await;
    let flags = ["--json-unknown-fields", "refuse"];
    refused(&flags, "--json-unknown-fields").await;
}

async fn refused(flags: &[&str], named: &str) {
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), crate::support::descriptors::test_service()).unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
        .args(["--address", "127.0.0.1:0", "--fastcgi", "tcp://127.0.0.1:9"])
        .args(flags)
        .arg("--descriptor-set")
        .arg(set.path())
        .arg("/app/index.php")
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains(&format!("{named} needs descriptor sets with their imports")),
        "{text}"
    );
    assert!(!text.contains("serving"));
}
