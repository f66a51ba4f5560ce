//! REST: what the front end makes of requests and responses. How rules match and messages are read is tested in transcoding.

mod hostile;

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderValue, Response};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{PhpFpm, Proxy, TEST_TIMEOUT, WebClient, php};

/// The services of rest.proto.
struct Served {
    _php_fpm: PhpFpm,
    proxy: Proxy,
    client: WebClient,
    _set: NamedTempFile,
}

fn set(name: &str) -> NamedTempFile {
    let folders = ["tests/integration/rest", "../proto"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut compiler = protox::Compiler::new(folders).unwrap();
    compiler.include_imports(true).open_file(name).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), compiler.encode_file_descriptor_set()).unwrap();
    file
}

async fn serve(flags: &[&str]) -> Served {
    let php_fpm = PhpFpm::start().await;
    let set = set("rest.proto");
    let routes = [
        ("Streams", "stream_echo.php"),
        ("Status", "status.php"),
        ("Metadata", "metadata.php"),
        ("Trailers", "stream_trailers.php"),
    ]
    .map(|(service, file)| {
        let script = php("fixtures").join(file);
        format!("--route=rest.{service}={}", script.display())
    });
    let set_path = set.path().to_str().unwrap();
    let mut all = vec!["--rest", "--descriptor-set", set_path];
    all.extend(routes.iter().map(String::as_str));
    all.extend(flags);
    let script = php("fixtures/echo.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &all).await;
    let client = WebClient::connect(proxy.address).await;
    Served {
        _php_fpm: php_fpm,
        proxy,
        client,
        _set: set,
    }
}

impl Served {
    async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.client.send("GET", path, Vec::new(), headers).await
    }

    async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Response<Bytes> {
        self.client.send(method, path, body.to_vec(), &[]).await
    }
}

fn value(response: &Response<Bytes>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[tokio::test]
async fn each_rule_of_a_method_is_a_path() {
    let mut served = serve(&[]).await;
    let response = served.get("/v1/shelves/1?size=3&tags=a&tags=b", &[]).await;
    assert_eq!(response.status(), 200);
    let shelf = json!({"name": "shelves/1", "size": "3", "tags": ["a", "b"]});
    assert_eq!(value(&response), shelf);
    let length = response.headers()["content-length"].clone();
    let request = shelf.to_string().into_bytes();
    let response = served.send("POST", "/v1/shelves", &request).await;
    assert_eq!(value(&response), shelf);
    let response = served
        .send("PATCH", "/v1/shelves/1", br#"{"size": 4}"#)
        .await;
    assert_eq!(value(&response), json!({"size": "4"}));
    let response = served.send("PURGE", "/v1/shelves/2", b"").await;
    assert_eq!(value(&response), json!({"name": "shelves/2"}));
    let response = served
        .send("HEAD", "/v1/shelves/1?size=3&tags=a&tags=b", b"")
        .await;
    assert_eq!((response.status().as_u16(), text(&response)), (200, ""));
    assert_eq!(response.headers()["content-length"], length);
}

#[tokio::test]
async fn any_content_passes_as_http_body() {
    let mut served = serve(&[]).await;
    for path in ["/v1/files", "/v1/files:all"] {
        let headers = [("content-type", "image/png")];
        let body = b"\x89PNG".to_vec();
        let response = served.client.send("POST", path, body, &headers).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "image/png", "{path}");
        assert_eq!(&response.body()[..], b"\x89PNG", "{path}");
    }
}

#[tokio::test]
async fn errors_are_a_status_as_json() {
    let mut served = serve(&[]).await;
    // A google.rpc.Status with a rest.Shelf and with a message whose type is unknown.
    let details = "CAUaKAoedHlwZS5nb29nbGVhcGlzLmNvbS9yZXN0LlNoZWxmEgYKBG5hbWUaCwoJeC95Lm90aGVy";
    let headers = [
        ("x-status", "5"),
        ("x-message", "not \"there\""),
        ("x-details-bin", details),
    ];
    let response = served.get("/v1/status", &headers).await;
    assert_eq!(response.status(), 404);
    let details = json!([
        {"@type": "type.googleapis.com/rest.Shelf", "name": "name"},
        {"@type": "x/y.other", "value": ""},
    ]);
    let expected = json!({"code": 5, "message": "not \"there\"", "details": details});
    assert_eq!(value(&response), expected);
    for (method, path, body, status, message) in [
        ("GET", "/v1/shelves/1?sise=3", "", 400, "sise"),
        (
            "POST",
            "/v1/shelves",
            "{\"sise\": 3}",
            400,
            "rest.Shelf has no field \"sise\" at line 1 column 7",
        ),
        ("GET", "/v1/nothing", "", 404, "no method has this path"),
        ("DELETE", "/v1/shelves", "", 405, "use POST"),
        ("GET", "/v1/shelves/%FF", "", 400, "UTF-8"),
    ] {
        let response = served.send(method, path, body.as_bytes()).await;
        assert_eq!(response.status(), status, "{method} {path}");
        let error = value(&response);
        let found = error["message"].as_str().unwrap();
        assert!(found.contains(message), "{method} {path}: {found}");
    }
    // OPTIONS without the fields of a browser is an HTTP method like others.
    for method in ["DELETE", "OPTIONS"] {
        let response = served.send(method, "/v1/shelves", b"").await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "POST", "{method}");
    }
    let response = served
        .get("/v1/shelves/1", &[("grpc-timeout", "soon")])
        .await;
    assert_eq!(
        (response.status().as_u16(), &value(&response)["code"]),
        (400, &json!(3))
    );
}

#[tokio::test]
async fn metadata_are_header_fields() {
    let mut served = serve(&[]).await;
    let response = served.get("/v1/metadata?name=a", &[]).await;
    assert_eq!(value(&response), json!({"name": "a"}));
    let initial: Vec<_> = response.headers().get_all("x-initial").iter().collect();
    assert_eq!(initial, ["first", "second"]);
    assert_eq!(response.headers()["trailer-x-trailing"], "last");
}

#[tokio::test]
async fn a_stream_is_lines_or_events() {
    let mut served = serve(&[]).await;
    let response = served.get("/v1/shelves/1:watch", &[]).await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(text(&response), "{\"name\":\"shelves/1\"}\n");
    let refused = ("accept", "text/event-stream; q=0.0, */*");
    let response = served.get("/v1/shelves/1:watch", &[refused]).await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let accept = ("accept", "text/event-stream");
    let response = served.get("/v1/shelves/1:watch", &[accept]).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let events =
        "data: {\"name\":\"shelves/1\"}\n\nevent: status\ndata: {\"code\":0,\"message\":\"\"}\n\n";
    assert_eq!(text(&response), events);
}

#[tokio::test]
async fn a_stream_says_that_it_has_failed() {
    let mut served = serve(&[]).await;
    // The script sends its status only after a message that is no rest.Shelf.
    let response = served.get("/v1/trailers", &[("x-status", "5")]).await;
    assert_eq!(response.status(), 200);
    let malformed = "{\"code\":13,\"message\":\"the application's answer is malformed\"}";
    assert_eq!(text(&response), format!("{{\"error\":{malformed}}}\n"));
    let headers = [("x-status", "5"), ("accept", "text/event-stream")];
    let response = served.get("/v1/trailers", &headers).await;
    assert_eq!(
        text(&response),
        format!("event: status\ndata: {malformed}\n\n")
    );
    // Before a file has begun.
    let response = served.get("/v1/trailers:files", &[("x-status", "5")]).await;
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_stream_of_requests_is_lines() {
    let mut served = serve(&[]).await;
    let lines = b"{\"name\": \"a\"}\r\n\n{\"name\": \"b\"}";
    let response = served.send("POST", "/v1/shelves:chat", lines).await;
    assert_eq!(text(&response), "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
    let response = served
        .send("POST", "/v1/shelves:chat", b"{\"name\": \"a\"}\n{")
        .await;
    assert_eq!(
        (response.status().as_u16(), &value(&response)["code"]),
        (400, &json!(3))
    );
}

#[tokio::test]
async fn a_stream_of_requests_without_a_body_is_one_message() {
    let mut served = serve(&[]).await;
    let tag = "x".repeat(1500);
    let path = format!("/v1/shelves/1:chat?size=3&tags={tag}");
    let accept = ("accept", "text/event-stream");
    let response = served.get(&path, &[accept]).await;
    let events = format!(
        "data: {{\"name\":\"shelves/1\",\"size\":\"3\",\"tags\":[\"{tag}\"]}}\n\nevent: status\ndata: {{\"code\":0,\"message\":\"\"}}\n\n"
    );
    assert_eq!(text(&response), events);
    let response = served.send("GET", "/v1/shelves/1:chat", b"{}").await;
    assert_eq!(text(&response), "{\"name\":\"shelves/1\"}\n");
    let response = served.get("/v1/shelves/1:chat?sise=3", &[]).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn a_response_is_compressed_if_the_script_asks_and_the_client_accepts() {
    let mut served = serve(&[]).await;
    let path = "/v1/shelves/1";
    let expected = json!({"name": "shelves/1"});
    let asks = ("x-encoding", "gzip");
    let response = served.get(path, &[asks]).await;
    assert_eq!(value(&response), expected);
    let accepts = ("accept-encoding", "br, gzip;q=0.5");
    let response = served.get(path, &[asks, accepts]).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut varies = response.headers().get_all("vary").iter();
    assert!(varies.any(|value| value == "accept-encoding"));
    let plain: Value = serde_json::from_reader(GzDecoder::new(&response.body()[..])).unwrap();
    assert_eq!(plain, expected);
    let response = served.get("/v1/shelves/1:watch", &[asks, accepts]).await;
    assert_eq!(text(&response), "{\"name\":\"shelves/1\"}\n");
}

#[tokio::test]
async fn a_request_may_be_compressed_and_is_bounded() {
    let mut served = serve(&["--max-receive-message-size", "1000"]).await;
    let json = format!("{{\"name\": \"{}\"}}", "x".repeat(900));
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(json.as_bytes()).unwrap();
    let compressed = compressed.finish().unwrap();
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(1000)).into_bytes();
    for (path, encoding, body, status) in [
        ("/v1/shelves", "gzip", compressed.clone(), 200),
        ("/v1/shelves:chat", "gzip", compressed, 501),
        ("/v1/shelves", "br", long.clone(), 501),
        ("/v1/shelves", "identity", long.clone(), 429),
        ("/v1/shelves:chat", "identity", long, 429),
    ] {
        let headers = [("content-encoding", encoding)];
        let response = served.client.send("POST", path, body, &headers).await;
        assert_eq!(response.status(), status, "{path} {encoding}: {response:?}");
    }
}

#[tokio::test]
async fn browsers_may_send_what_a_rule_says() {
    let mut served = serve(&["--allow-origin", "https://a.example"]).await;
    let preflight = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "PATCH"),
    ];
    let response = served
        .client
        .send("OPTIONS", "/v1/shelves/1", Vec::new(), &preflight)
        .await;
    let allowed = &response.headers()["access-control-allow-methods"];
    assert_eq!(allowed, "POST,GET,PATCH,PURGE");
}

#[tokio::test]
async fn the_other_protocols_are_served_beside_it() {
    let mut served = serve(&["--connect", "--openapi"]).await;
    let json = [("content-type", "application/json")];
    let request = br#"{"name": "a"}"#.to_vec();
    let response = served
        .client
        .send("POST", "/rest.Echo/Get", request, &json)
        .await;
    assert_eq!(value(&response), json!({"name": "a"}));
    let document = value(&served.get("/openapi.json", &[]).await);
    let title = "rest.Echo, rest.Metadata, rest.Status, rest.Streams, rest.Trailers";
    assert_eq!(
        (&document["openapi"], &document["info"]["title"]),
        (&json!("3.1.0"), &json!(title))
    );
    assert!(document["paths"]["/v1/shelves"]["post"].is_object());
    let response = served.send("POST", "/openapi.json", b"").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &HeaderValue::from_static("GET"))
    );
    let metric = r#"grpc_server_handled_total{grpc_code="OK",grpc_method="Get",grpc_service="rest.Echo",grpc_type="unary"}"#;
    served.proxy.metric_becomes(metric, 1.0).await;
}

#[tokio::test]
async fn descriptor_sets_without_rules_are_refused_at_the_start() {
    let set = php("conformance/generated/descriptor-set.binpb");
    let output = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
        .args(["--address", "127.0.0.1:0", "--fastcgi", "tcp://127.0.0.1:9"])
        .args(["--rest", "--descriptor-set"])
        .args([set.as_path(), Path::new("/app/index.php")])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("--rest needs methods with google.api.http rules"),
        "{text}"
    );
}

#[tokio::test]
async fn a_message_is_an_event_at_once_and_silence_has_comments() {
    let served = serve(&[]).await;
    let mut stream = TcpStream::connect(served.proxy.address).await.unwrap();
    let request = "POST /v1/shelves:chat HTTP/1.1\r\nhost: a.example\r\naccept: text/event-stream\r\n\
                   transfer-encoding: chunked\r\n\r\nd\r\n{\"name\": \"a\"}\r\n1\r\n\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = String::new();
    // The request has not ended.
    for expected in ["data: {\"name\":\"a\"}\n\n", "\r\n:\n\n"] {
        while !received.contains(expected) {
            let mut piece = [0; 1024];
            let read = timeout(TEST_TIMEOUT, stream.read(&mut piece)).await;
            let length = read.expect(expected).unwrap();
            assert!(length > 0, "{received}");
            received.push_str(str::from_utf8(&piece[..length]).unwrap());
        }
    }
}
