//! What scripts, metrics and the log learn of a client's protocol and codec.

use std::path::Path;

use serde_json::Value;

use crate::support::{BINARY, Client, MODES, PhpFpm, Proxy, TEXT, WebClient, message, php};

const PATH: &str = "/test.Service/Method";
const STREAM: &str = "/test.Service/BidiStream";
/// What no client can set.
const FORGED: [(&str, &str); 2] = [
    ("grpc-client-protocol", "forged"),
    ("grpc-client-codec", "forged"),
];
const JSON: &[u8] = br#"{"value":"client"}"#;

fn descriptor_set() -> Vec<u8> {
    let folders = ["tests/integration/dialects", "../proto"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut compiler = protox::Compiler::new(folders).unwrap();
    compiler.include_imports(true);
    compiler.open_file("dialects.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

/// The service of `resident.php`, which answers `client` with the dialect.
async fn serve(php_fpm: &PhpFpm, mode: &[&str]) -> Proxy {
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), descriptor_set()).unwrap();
    let set = set.path().to_str().unwrap();
    let flags = ["--connect", "--grpc-web", "--rest", "--descriptor-set", set];
    let script = php("fixtures/resident.php");
    Proxy::start(
        &php_fpm.url(),
        script.to_str().unwrap(),
        &[&flags, mode].concat(),
    )
    .await
}

fn proto() -> Vec<u8> {
    [b"\x0a\x06", &b"client"[..]].concat()
}

async fn by_grpc(client: &Client, path: &str, content_type: &str, content: &[u8]) -> Vec<u8> {
    let fields = [&FORGED[..], &[("content-type", content_type)]].concat();
    let response = client.send(path, message(content), &fields).await.unwrap();
    response.body.to_vec()
}

/// By gRPC-Web and Connect, over HTTP/1.1.
async fn by_http1(client: &mut WebClient, content_type: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let fields = [&FORGED[..], &[("content-type", content_type)]].concat();
    let response = client.send("POST", path, body.to_vec(), &fields).await;
    response.into_body().to_vec()
}

/// Answers to `client`, and what they are to contain.
type Answers = Vec<(Vec<u8>, &'static str)>;

async fn by_grpc_in_all_codecs(client: &Client) -> Answers {
    let mut answers = Vec::new();
    for path in [PATH, STREAM] {
        for (content_type, content, expected) in [
            ("application/grpc", &proto()[..], "grpc proto"),
            ("application/grpc+proto", &proto(), "grpc proto"),
            ("application/grpc+json", JSON, "grpc json"),
        ] {
            let answer = by_grpc(client, path, content_type, content).await;
            answers.push((answer, expected));
        }
    }
    answers
}

async fn by_web_connect_and_rest(web: &mut WebClient) -> Answers {
    let (framed, framed_json) = (message(&proto()), message(JSON));
    let mut answers = Vec::new();
    for (content_type, path, body, expected) in [
        (BINARY, PATH, &framed[..], "grpc-web proto"),
        (
            "application/grpc-web+json",
            PATH,
            &framed_json,
            "grpc-web json",
        ),
        ("application/proto", PATH, &proto(), "connect proto"),
        ("application/json", PATH, JSON, "connect json"),
        (
            "application/connect+proto",
            STREAM,
            &framed,
            "connect proto",
        ),
        (
            "application/connect+json",
            STREAM,
            &framed_json,
            "connect json",
        ),
    ] {
        let answer = by_http1(web, content_type, path, body).await;
        answers.push((answer, expected));
    }
    let query = "connect=v1&encoding=json&message=%7B%22value%22%3A%22client%22%7D";
    let path = format!("{PATH}?{query}");
    let get = web.send("GET", &path, Vec::new(), &FORGED).await;
    answers.push((get.into_body().to_vec(), "connect json"));
    let rest = web.send("GET", "/v1/client", Vec::new(), &FORGED).await;
    answers.push((rest.into_body().to_vec(), "rest json"));
    let mut text = web.call("Method", TEXT, &framed, &FORGED).await;
    answers.push((text.next().await.unwrap().1, "grpc-web proto"));
    answers
}

#[tokio::test]
async fn scripts_and_metrics_tell_protocols_and_codecs_apart() {
    let php_fpm = PhpFpm::start().await;
    for mode in MODES {
        let proxy = serve(&php_fpm, mode).await;
        let client = Client::connect(proxy.address).await;
        let mut web = WebClient::connect(proxy.address).await;
        let mut answers = by_grpc_in_all_codecs(&client).await;
        answers.extend(by_web_connect_and_rest(&mut web).await);
        for (answer, expected) in &answers {
            let answer = String::from_utf8_lossy(answer);
            assert!(answer.contains(expected), "{expected}: {answer:?} {mode:?}");
        }
        // The kit refuses it.
        by_grpc(&client, PATH, "application/grpc+thrift", b"").await;
        for (protocol, codec, calls) in [
            ("grpc", "proto", 4.0),
            ("grpc", "json", 2.0),
            ("grpc", "other", 1.0),
            ("grpc-web", "proto", 2.0),
            ("grpc-web", "json", 1.0),
            ("connect", "proto", 2.0),
            ("connect", "json", 3.0),
            ("rest", "json", 1.0),
        ] {
            let labels = format!(r#"codec="{codec}",protocol="{protocol}""#);
            let name = format!("grpc_server_protocol_calls_total{{{labels}}}");
            proxy.metric_becomes(&name, calls).await;
        }
    }
}

#[tokio::test]
async fn the_log_of_a_call_has_its_protocol_and_codec() {
    let php_fpm = PhpFpm::start().await;
    let mut proxy = serve(&php_fpm, &[]).await;
    let mut web = WebClient::connect(proxy.address).await;
    by_http1(&mut web, "application/json", PATH, JSON).await;
    let record = proxy.logged(|record| record["message"] == "call").await;
    let dialect = |record: &Value| [record["protocol"].clone(), record["codec"].clone()];
    assert_eq!(dialect(&record), ["connect", "json"]);
    by_http1(&mut web, "application/json", PATH, b"{").await;
    let record = proxy
        .logged(|record| record["message"] == "call failed")
        .await;
    assert_eq!(dialect(&record), ["connect", "json"]);
    let client = Client::connect(proxy.address).await;
    by_grpc(&client, PATH, "application/grpc+a\"b", b"").await;
    let record = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(dialect(&record), ["grpc", "other"]);
}
