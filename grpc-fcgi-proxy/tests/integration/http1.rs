//! HTTP/1.1: what becomes of a connection whose request is not read to its end.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

use crate::support::{BINARY, Proxy, TEST_TIMEOUT, ending_with, message, serve, serve_streams};

const UNARY: &str = "/test.Service/Method";
const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A client that writes and reads bytes, and does nothing by itself.
struct RawClient(BufReader<TcpStream>);

struct RawResponse {
    status: String,
    /// In small letters.
    fields: String,
    body: Vec<u8>,
}

impl RawResponse {
    fn has(&self, field: &str) -> bool {
        self.fields.lines().any(|line| line == field)
    }
}

impl RawClient {
    async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Sends the head of a gRPC-Web request.
    async fn begin(&mut self, path: &str, fields: &[(&str, &str)]) {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: web.example\r\n");
        for (name, value) in fields {
            head += &format!("{name}: {value}\r\n");
        }
        self.write(format!("{head}\r\n").as_bytes()).await;
    }

    async fn write_chunk(&mut self, content: &[u8]) {
        let size = format!("{:x}\r\n", content.len());
        self.write(&[size.as_bytes(), content, b"\r\n"].concat())
            .await;
    }

    /// A whole call, which echoes.
    async fn call(&mut self) {
        let content = message(b"next");
        let length = content.len().to_string();
        let fields = [("content-type", BINARY), ("content-length", &length)];
        self.begin(UNARY, &fields).await;
        self.write(&content).await;
        let response = self.response().await;
        assert!(response.body.starts_with(&content), "{}", response.fields);
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(TEST_TIMEOUT, self.0.read_line(&mut line));
        read.await.expect("no line in time").unwrap();
        line.trim_end().to_owned()
    }

    async fn head(&mut self) -> RawResponse {
        let status = self.line().await;
        let mut fields = String::new();
        loop {
            match self.line().await {
                line if line.is_empty() => break,
                line => fields += &format!("{}\n", line.to_ascii_lowercase()),
            }
        }
        RawResponse {
            status,
            fields,
            body: Vec::new(),
        }
    }

    /// `None` for the last one.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line().await, 16).unwrap();
        let mut chunk = vec![0; size + 2];
        let read = timeout(TEST_TIMEOUT, self.0.read_exact(&mut chunk));
        read.await.expect("no chunk in time").unwrap();
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    async fn response(&mut self) -> RawResponse {
        let mut response = self.head().await;
        if response.has("transfer-encoding: chunked") {
            while let Some(chunk) = self.chunk().await {
                response.body.extend(chunk);
            }
        } else {
            assert!(response.has("content-length: 0"), "{}", response.fields);
        }
        response
    }

    /// Reads the end of the connection.
    async fn ends(mut self) {
        let mut rest = Vec::new();
        let end = timeout(TEST_TIMEOUT, self.0.read_to_end(&mut rest)).await;
        assert_eq!(end.expect("the connection stays open").unwrap(), 0);
    }
}

/// Waits until a unary call has been refused.
async fn refused(proxy: &Proxy, code: &str) {
    let labels = r#"grpc_method="unknown",grpc_service="unknown",grpc_type="unary""#;
    let name = format!(r#"grpc_server_handled_total{{grpc_code="{code}",{labels}}}"#);
    proxy.metric_becomes(&name, 1.0).await;
}

#[tokio::test]
async fn the_rest_of_a_refused_request_is_read_and_the_connection_stays() {
    let two = [message(b"one"), message(b"two")].concat();
    for (name, value, code, status) in [
        ("x-a", "two messages", "Unimplemented", "grpc-status: 12"),
        ("grpc-timeout", "never", "Internal", "grpc-status: 13"),
    ] {
        let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
        let mut client = RawClient::connect(proxy.address).await;
        let fields = [("content-type", BINARY), CHUNKED, (name, value)];
        client.begin(UNARY, &fields).await;
        client.write_chunk(&two).await;
        refused(&proxy, code).await;
        client.write_chunk(&two).await;
        client.write(LAST_CHUNK).await;
        let response = client.response().await;
        assert!(response.has(status), "{}", response.fields);
        assert!(!response.has("connection: close"), "{}", response.fields);
        client.call().await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_request_does_keeps_the_connection() {
    let (_php_fpm, proxy, _client) = serve_streams("stream_trailers.php", &["--grpc-web"]).await;
    let mut client = RawClient::connect(proxy.address).await;
    for _ in 0..3 {
        let fields = [("content-type", BINARY), CHUNKED, ending_with(Code::Ok)];
        client.begin("/test.Service/ServerStream", &fields).await;
        client.write_chunk(&message(b"")).await;
        assert_eq!(client.head().await.status, "HTTP/1.1 200 OK");
        let mut body = Vec::new();
        while !String::from_utf8_lossy(&body).contains("grpc-status:0") {
            body.extend(client.chunk().await.unwrap());
        }
        client.write(LAST_CHUNK).await;
        assert_eq!(client.chunk().await, None);
    }
}

/// As a browser does: it reads the response when it has sent the request.
#[tokio::test]
async fn a_message_that_is_too_large_has_its_status() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
    let mut client = RawClient::connect(proxy.address).await;
    for (size, stays) in [(4 * 1024 * 1024 + 1, true), (40 * 1024 * 1024, false)] {
        let content = message(&vec![0; size]);
        let length = content.len().to_string();
        let fields = [("content-type", BINARY), ("content-length", &length)];
        client.begin(UNARY, &fields).await;
        client.write(&content).await;
        let response = client.response().await;
        assert!(response.has("grpc-status: 8"), "{}", response.fields);
        assert_eq!(response.has("connection: close"), !stays);
        if stays {
            client.call().await;
        }
    }
    client.ends().await;
}

#[tokio::test]
async fn a_refused_client_that_stalls_is_disconnected() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
    for expectation in [("x-a", "b"), ("expect", "100-continue")] {
        let mut client = RawClient::connect(proxy.address).await;
        let fields = [("content-type", "text/plain"), CHUNKED, expectation];
        client.begin(UNARY, &fields).await;
        let response = client.response().await;
        assert!(response.status.starts_with("HTTP/1.1 415"));
        assert!(response.has("connection: close"), "{}", response.fields);
        client.ends().await;
    }
}

#[tokio::test]
async fn the_connection_stays_after_a_refused_content_type() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--grpc-web"]).await;
    let mut client = RawClient::connect(proxy.address).await;
    client
        .begin(UNARY, &[("content-type", "text/plain"), CHUNKED])
        .await;
    client.write_chunk(b"hello").await;
    client.write(LAST_CHUNK).await;
    let response = client.response().await;
    assert!(response.status.starts_with("HTTP/1.1 415"));
    client.call().await;
}

#[tokio::test]
async fn a_response_that_is_not_taken_ends_the_connection() {
    let flags = ["--grpc-web", "--max-response-idle", "300ms"];
    let (_php_fpm, proxy, client) = serve("large.php", &flags).await;
    let mut unread = RawClient::connect(proxy.address).await;
    let content = message(b"");
    let length = content.len().to_string();
    let fields = [
        ("content-type", BINARY),
        ("content-length", &length),
        ("x-size", "16000000"),
    ];
    unread.begin(UNARY, &fields).await;
    unread.write(&content).await;
    unread.head().await;
    proxy.metric_becomes("grpc_server_calls", 0.0).await;
    let response = client.call(b"", &[("x-size", "1")]).await;
    assert_eq!(response.content().len(), 1);
}

/// The timer that TCP runs on the proxy's end of a connection: proc(5), /proc/net/tcp.
fn tcp_timer(proxy: SocketAddr, client: SocketAddr) -> Option<String> {
    let ends = [proxy, client].map(|end| format!(":{:04X}", end.port()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_wanted = fields[1].ends_with(&ends[0]) && fields[2].ends_with(&ends[1]);
        is_wanted.then(|| fields[5][..2].to_owned())
    })
}

/// It may have vanished without an end of its connection, and a call that has nothing to send would hold its worker.
#[tokio::test]
async fn a_silent_client_is_asked_whether_it_is_there() {
    let flags = ["--grpc-web", "--keepalive-time=10h"];
    let (_php_fpm, proxy, _) = serve("echo.php", &flags).await;
    let mut client = RawClient::connect(proxy.address).await;
    client.call().await;
    let local = client.0.get_ref().local_addr().unwrap();
    // While an acknowledgement is awaited, another timer runs.
    let is_asked = async {
        while tcp_timer(proxy.address, local).as_deref() != Some("02") {
            tokio::task::yield_now().await;
        }
    };
    let asked = timeout(TEST_TIMEOUT, is_asked).await;
    asked.expect("TCP runs no keepalive timer");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let (_php_fpm, proxy, _) = serve("variables.php", &["--grpc-web"]).await;
    for (target, hosts, status) in [
        ("", "host: a.example", "200 OK"),
        ("http://user:word@a.example", "host: b", "200 OK"),
        ("", "host: user:word@a.example", "200 OK"),
        ("", "x: y", "400 Bad Request"),
        ("", "host: a\r\nhost: b", "400 Bad Request"),
    ] {
        let mut client = RawClient::connect(proxy.address).await;
        let fields = format!("content-type: {BINARY}\r\n{hosts}\r\ncontent-length: 5\r\n");
        let head = format!("POST {target}{UNARY} HTTP/1.1\r\n{fields}\r\n");
        client
            .write(&[head.as_bytes(), &message(b"")].concat())
            .await;
        let response = client.response().await;
        assert_eq!(response.status, format!("HTTP/1.1 {status}"), "{hosts:?}");
        if status == "200 OK" {
            let body = String::from_utf8_lossy(&response.body);
            assert!(body.contains(r#""HTTP_HOST":"a.example""#), "{body}");
            assert!(body.contains(r#""SERVER_NAME":"a.example""#), "{body}");
        }
    }
    // HTTP/1.0 has no such field.
    let mut client = RawClient::connect(proxy.address).await;
    client.write(b"GET / HTTP/1.0\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(head.status, "HTTP/1.0 405 Method Not Allowed");
}
