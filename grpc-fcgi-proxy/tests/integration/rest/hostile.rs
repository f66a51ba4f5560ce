//! REST and JSON with clients and pages that are slow or not trusted.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{serve, text};
use crate::support::TEST_TIMEOUT;

const JSON: &[u8] = br#"{"name": "a"}"#;
/// The same with gRPC's prefix.
const FRAMED_JSON: &[u8] = b"\0\0\0\0\x0d{\"name\": \"a\"}";
const PROTOBUF: &[u8] = b"\x0a\x01a";

/// Sends a request in pieces, and returns the first line of its response.
async fn trickle(
    address: std::net::SocketAddr,
    (path, content_type, body): (&str, &str, &[u8]),
    pieces: usize,
    pause: Duration,
) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in body.chunks(body.len().div_ceil(pieces)) {
        sleep(pause).await;
        stream.write_all(piece).await.unwrap();
    }
    let mut response = vec![0; 15];
    let read = timeout(TEST_TIMEOUT, stream.read_exact(&mut response));
    read.await.expect("no response in time").unwrap();
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn a_request_may_be_slow_but_not_stall() {
    let flags = ["--connect", "--grpc-web", "--max-request-idle=1s"];
    let served = serve(&flags).await;
    let address = served.proxy.address;
    let requests: [(&str, &str, &[u8]); 4] = [
        ("/v1/shelves", "application/json", JSON),
        ("/rest.Echo/Get", "application/json", JSON),
        ("/rest.Echo/Get", "application/proto", PROTOBUF),
        ("/rest.Echo/Get", "application/grpc-web+json", FRAMED_JSON),
    ];
    let slow = requests.map(|request| trickle(address, request, 3, Duration::from_millis(600)));
    for (status, request) in join_all(slow).await.iter().zip(requests) {
        assert_eq!(status, "HTTP/1.1 200 OK", "{request:?}");
    }
    let stalled = requests[..3].iter().map(|request| {
        let (path, content_type, _) = *request;
        trickle(
            address,
            (path, content_type, b"{"),
            1,
            Duration::from_secs(2),
        )
    });
    for (status, request) in join_all(stalled).await.iter().zip(requests) {
        assert_eq!(status, "HTTP/1.1 504 Ga", "{request:?}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_post_a_form() {
    let mut served = serve(&["--allow-origin=https://shop.example"]).await;
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://shop.example", 200),
        // The client's host.
        ("https://web.example", 200),
    ] {
        let headers = [("content-type", "text/plain"), ("origin", origin)];
        let body = JSON.to_vec();
        let client = &mut served.client;
        let response = client.send("POST", "/v1/shelves", body, &headers).await;
        assert_eq!(response.status(), status, "{origin}");
        if status == 403 {
            let reason = "pages of this origin may not call: see --allow-origin";
            assert_eq!(
                text(&response),
                format!(r#"{{"code":7,"message":"{reason}"}}"#)
            );
        }
    }
}

#[tokio::test]
async fn any_json_takes_little_memory() {
    let mut served = serve(&[]).await;
    let before = served.proxy.peak_memory();
    let body = format!(r#"{{"notes": [{}{{}}]}}"#, "{},".repeat(300_000)).into_bytes();
    let length = body.len() as u64 / 1024;
    let headers = [("x-status", "5"), ("x-message", "read")];
    let response = served.client.send("POST", "/v1/status", body, &headers);
    assert_eq!(text(&response.await), r#"{"code":5,"message":"read"}"#);
    let growth = served.proxy.peak_memory() - before;
    assert!(growth < 16 * length, "{growth} KiB for {length} KiB");
}
