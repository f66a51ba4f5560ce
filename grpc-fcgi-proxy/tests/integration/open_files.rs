//! File descriptors: idle clients leave some for php-fpm and for the auxiliary server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Client, PhpFpm, Proxy, TEST_TIMEOUT, php};

/// The preface of a client, and its empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A proxy with a hard limit on file descriptors, and a lower soft one.
async fn start(php_fpm: &PhpFpm, hard: usize, soft: usize) -> Proxy {
    let limit = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
    let mut program = Command::new("sh");
    program.args(["-c", &limit, env!("CARGO_BIN_EXE_grpc-fcgi-proxy")]);
    let script = php("fixtures/echo.php");
    Proxy::start_by(program, &php_fpm.url(), script.to_str().unwrap(), &[]).await
}

#[tokio::test]
async fn idle_clients_leave_file_descriptors_for_calls() {
    let php_fpm = PhpFpm::start().await;
    let mut proxy = start(&php_fpm, 256, 64).await;
    let words = "the limit on file descriptors is lower than the flags need";
    let warning = |record: &serde_json::Value| {
        let message = record["message"].as_str();
        message.is_some_and(|message| message.starts_with(words))
    };
    let warning = proxy.logged(warning).await;
    assert_eq!(warning["limit"], 256, "{warning}");
    let client = Client::connect(proxy.address).await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        // Over the limit, the connection is closed at once.
        let _ = stream.write_all(PREFACE).await;
        idle.push(stream);
    }
    for _ in 0..4 {
        assert_eq!(client.call(b"a", &[]).await.content(), b"a");
    }
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
    let accepted = warning["max_connections"].as_f64().unwrap();
    assert_eq!(proxy.metric("grpc_server_connections").await, accepted);
}

#[tokio::test]
async fn the_auxiliary_server_has_few_connections_and_none_that_sends_no_request() {
    let php_fpm = PhpFpm::start().await;
    let proxy = start(&php_fpm, 256, 256).await;
    let client = Client::connect(proxy.address).await;
    let mut half_sent = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(proxy.aux_address).await.unwrap();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nx-a: ").await;
        half_sent.push(stream);
    }
    assert_eq!(client.call(b"a", &[]).await.content(), b"a");
    let all_closed = async {
        for stream in &mut half_sent {
            // With unread bytes the end is a reset.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    };
    let closed = timeout(TEST_TIMEOUT, all_closed).await;
    closed.expect("a connection stays open");
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
}
