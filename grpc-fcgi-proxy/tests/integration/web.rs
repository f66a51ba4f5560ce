//! gRPC-Web.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use tonic::Code;

use crate::support::{
    BINARY, Client, TEST_TIMEOUT, TEXT, WebClient, code, ending_with, message, serve, serve_streams,
};

const PATH: &str = "/test.Service/Method";

fn field<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_unary_call_has_its_trailers_in_the_body() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
    let mut web = WebClient::connect(proxy.address).await;
    let large = vec![b'x'; 200_000];
    for (kind, answered) in [(BINARY, BINARY), (TEXT, "application/grpc-web-text+proto")] {
        for content in [&b""[..], b"hello", &large] {
            let mut response = web.call("Method", kind, &message(content), &[]).await;
            assert_eq!(response.head.status, 200);
            assert_eq!(response.headers()["content-type"], answered);
            assert_eq!(response.next().await.unwrap(), (0, content.to_vec()));
            // The trailers are text in the body, so this is about their bytes.
            assert_eq!(response.trailers().await, ["grpc-status:0"]);
        }
    }
}

#[tokio::test]
async fn a_failed_call_has_its_status_in_the_header_fields() {
    let (_php_fpm, proxy, _client) = serve("status.php", &["--grpc-web"]).await;
    let mut web = WebClient::connect(proxy.address).await;
    let metadata = [ending_with(Code::NotFound), ("x-message", "not there")];
    let mut response = web.call("Method", BINARY, &message(b""), &metadata).await;
    assert_eq!(response.head.status, 200);
    assert_eq!(code(response.headers()), Code::NotFound);
    assert_eq!(response.headers()["grpc-message"], "not there");
    assert_eq!(response.next().await, None);
}

#[tokio::test]
async fn a_stream_arrives_message_by_message_and_ends_with_its_client() {
    for kind in [BINARY, TEXT] {
        let (php_fpm, mut proxy, _client) = serve_streams("stream_slow.php", &["--grpc-web"]).await;
        let mut web = WebClient::connect(proxy.address).await;
        let mut response = web.call("ServerStream", kind, &message(b""), &[]).await;
        // The stream never ends, so nothing would arrive if it were collected.
        for number in 0..3 {
            let expected = format!("message {number}").into_bytes();
            assert_eq!(response.next().await.unwrap(), (0, expected));
        }
        drop((response, web));
        let logged = proxy.logged(|record| record["message"] == "call").await;
        assert_eq!(logged["grpc_code"], "Canceled");
        let ended = async {
            while !php_fpm.ended_file().exists() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), ended)
            .await
            .expect("the script does not notice");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_trailers() {
    let (_php_fpm, proxy, _client) = serve_streams("stream_trailers.php", &["--grpc-web"]).await;
    let mut web = WebClient::connect(proxy.address).await;
    for kind in [BINARY, TEXT] {
        let metadata = [ending_with(Code::FailedPrecondition), ("x-message", "late")];
        let mut response = web
            .call("ServerStream", kind, &message(b""), &metadata)
            .await;
        assert_eq!(response.headers()["x-initial"], "first");
        assert_eq!(response.next().await.unwrap().1, b"before the trailers");
        assert_eq!(
            response.trailers().await,
            [
                "grpc-message:late",
                "grpc-status:9",
                "x-trailing-bin:q6ur",
                "x-trailing:one",
                "x-trailing:two"
            ]
        );
    }
}

#[tokio::test]
async fn php_sees_an_ordinary_call() {
    let (_php_fpm, proxy, _client) = serve("variables.php", &["--grpc-web"]).await;
    let mut web = WebClient::connect(proxy.address).await;
    let mut response = web
        .call("Method", TEXT, &message(b""), &[("x-a", "1")])
        .await;
    let variables: serde_json::Value =
        serde_json::from_slice(&response.next().await.unwrap().1).unwrap();
    for (name, value) in [
        ("REQUEST_URI", PATH),
        ("GRPC_CALL_KIND", "unary"),
        ("CONTENT_TYPE", "application/grpc"),
        ("HTTP_HOST", "web.example"),
        ("HTTP_X_A", "1"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
}

#[tokio::test]
async fn deadlines_and_limits_hold() {
    let flags = ["--grpc-web", "--max-receive-message-size", "100"];
    let (_php_fpm, proxy, _client) = serve("sleep.php", &flags).await;
    let mut web = WebClient::connect(proxy.address).await;
    let metadata = [("x-seconds", "5"), ("grpc-timeout", "100m")];
    let response = web.call("Method", BINARY, &message(b""), &metadata).await;
    assert_eq!(code(response.headers()), Code::DeadlineExceeded);
    let response = web.call("Method", BINARY, &message(&[0; 101]), &[]).await;
    assert_eq!(code(response.headers()), Code::ResourceExhausted);
}

#[tokio::test]
async fn invalid_base64_is_an_error() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
    let mut web = WebClient::connect(proxy.address).await;
    let headers = [("content-type", TEXT)];
    let response = web.send("POST", PATH, b"AAAA!!!!".to_vec(), &headers).await;
    assert_eq!(code(response.headers()), Code::Internal);
}

#[tokio::test]
async fn only_permitted_origins_may_call() {
    let flags = [
        "--grpc-web",
        "--grpc-web-origin",
        "https://shop.example,http://localhost:3000",
    ];
    let (_php_fpm, proxy, _client) = serve("echo.php", &flags).await;
    let mut web = WebClient::connect(proxy.address).await;
    for (origin, permitted) in [
        ("https://shop.example", true),
        ("http://localhost:3000", true),
        ("https://other.example", false),
        ("http://shop.example", false),
    ] {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "content-type,x-grpc-web,x-a",
            ),
        ];
        let preflight = web.send("OPTIONS", PATH, vec![], &headers).await;
        let expected = if permitted { origin } else { "" };
        assert_eq!(preflight.status(), 200);
        assert_eq!(field(&preflight, "access-control-allow-origin"), expected);
        assert_eq!(field(&preflight, "access-control-allow-methods"), "POST");
        assert_eq!(
            field(&preflight, "access-control-allow-headers"),
            "content-type,x-grpc-web,x-a"
        );
        assert_eq!(field(&preflight, "access-control-max-age"), "7200");

        let headers = [("origin", origin), ("content-type", BINARY)];
        let call = web.send("POST", PATH, message(b""), &headers).await;
        assert_eq!(field(&call, "access-control-allow-origin"), expected);
        assert_eq!(
            field(&call, "access-control-expose-headers"),
            "grpc-status,grpc-message,grpc-status-details-bin,*"
        );
        assert!(field(&call, "vary").contains("origin"));
    }
}

#[tokio::test]
async fn by_default_no_other_origin_may_call_and_with_a_star_every_one() {
    let headers = [("origin", "https://a.example"), ("content-type", BINARY)];
    for (flags, expected) in [
        (&["--grpc-web"][..], ""),
        (&["--grpc-web", "--grpc-web-origin", "*"], "*"),
    ] {
        let (_php_fpm, proxy, _client) = serve("echo.php", flags).await;
        let mut web = WebClient::connect(proxy.address).await;
        let response = web.send("POST", PATH, message(b""), &headers).await;
        assert_eq!(field(&response, "access-control-allow-origin"), expected);
    }
}

#[tokio::test]
async fn grpc_web_runs_over_http2_beside_grpc() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &["--grpc-web"]).await;
    let response = client
        .send(PATH, message(b"web"), &[("content-type", BINARY)])
        .await
        .unwrap();
    assert_eq!(response.headers["content-type"], BINARY);
    assert!(response.trailers.is_empty());
    assert!(response.body.starts_with(&message(b"web")));
    assert_eq!(client.call(b"grpc", &[]).await.content(), b"grpc");
}

#[tokio::test]
async fn http1_requests_other_than_grpc_web_are_refused() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
    let mut web = WebClient::connect(proxy.address).await;
    for (method, content_type, status) in [
        ("POST", "application/grpc", 415),
        ("POST", "application/json", 415),
        ("POST", "application/grpc-web+json", 415),
        ("GET", BINARY, 405),
        ("GET", "application/json", 405),
    ] {
        let headers = [("content-type", content_type)];
        let response = web.send(method, PATH, vec![], &headers).await;
        assert_eq!(response.status(), status, "{method} {content_type}");
        let allowed = if status == 405 { "POST" } else { "" };
        assert_eq!(field(&response, "allow"), allowed);
    }
}

#[tokio::test]
async fn without_the_flag_grpc_web_and_http1_are_refused() {
    let (_php_fpm, proxy, client) = serve("echo.php", &[]).await;
    for kind in [BINARY, TEXT] {
        let response = client
            .send(PATH, message(b""), &[("content-type", kind)])
            .await
            .unwrap();
        assert_eq!(response.http_status, 415);
    }
    let mut http1 = TcpStream::connect(proxy.address).await.unwrap();
    let request = format!("POST {PATH} HTTP/1.1\r\nhost: a\r\ncontent-type: {BINARY}\r\n\r\n");
    http1.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    // With unread bytes the end is a reset.
    let _ = timeout(TEST_TIMEOUT, http1.read_to_end(&mut response))
        .await
        .expect("the connection stays open");
    assert!(!response.starts_with(b"HTTP/1"));
}

#[tokio::test]
async fn idle_and_silent_http1_clients_are_disconnected() {
    let flags = ["--grpc-web", "--max-connection-idle", "1s"];
    let (_php_fpm, proxy, _client) = serve("echo.php", &flags).await;
    let mut web = TcpStream::connect(proxy.address).await.unwrap();
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n"
    );
    web.write_all(request.as_bytes()).await.unwrap();
    let mut silent = TcpStream::connect(proxy.address).await.unwrap();
    for stream in [&mut web, &mut silent] {
        timeout(TEST_TIMEOUT, stream.read_to_end(&mut Vec::new()))
            .await
            .expect("the connection stays open")
            .unwrap();
    }
    let client = Client::connect(proxy.address).await;
    assert_eq!(client.call(b"next", &[]).await.content(), b"next");
}
