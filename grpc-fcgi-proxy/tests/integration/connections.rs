//! Limits on connections, and on their age.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Client, FrameClient, GOAWAY, PING, Proxy, SETTINGS, TEST_TIMEOUT, serve};

/// Reads until the server closes the connection.
async fn closed(stream: &mut TcpStream) {
    // With unread bytes the end is a reset.
    let _ = timeout(TEST_TIMEOUT, stream.read_to_end(&mut Vec::new()))
        .await
        .expect("the connection stays open");
}

#[tokio::test]
async fn a_connection_over_the_limit_is_closed_at_once() {
    let (_php_fpm, proxy, client) = serve("echo.php", &["--max-connections", "1"]).await;
    assert_eq!(client.call(b"a", &[]).await.content(), b"a");
    closed(&mut TcpStream::connect(proxy.address).await.unwrap()).await;
    proxy
        .metric_becomes("grpc_server_connections_refused_total", 1.0)
        .await;
    assert_eq!(client.call(b"b", &[]).await.content(), b"b");
    drop(client);
    proxy.metric_becomes("grpc_server_connections", 0.0).await;
    let next = Client::connect(proxy.address).await;
    assert_eq!(next.call(b"c", &[]).await.content(), b"c");
}

#[tokio::test]
async fn settings_announce_the_limits_on_streams_and_frames() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--max-concurrent-streams", "7"]).await;
    let settings = FrameClient::connect(proxy.address)
        .await
        .next_of(SETTINGS)
        .await;
    // SETTINGS_MAX_CONCURRENT_STREAMS is 3, SETTINGS_MAX_FRAME_SIZE 5.
    for wanted in [[0, 3, 0, 0, 0, 7], [0, 5, 0, 1, 0, 0]] {
        assert!(
            settings.payload.chunks(6).any(|setting| setting == wanted),
            "{settings:?}"
        );
    }
}

#[tokio::test]
async fn a_client_without_a_preface_is_disconnected() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &[]).await;
    let mut silent = TcpStream::connect(proxy.address).await.unwrap();
    let mut slow = TcpStream::connect(proxy.address).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    tokio::join!(closed(&mut silent), closed(&mut slow));
}

#[tokio::test]
async fn a_client_that_ignores_a_ping_is_disconnected() {
    let flags = ["--keepalive-time", "50ms", "--keepalive-timeout", "2s"];
    let (_php_fpm, proxy, _client) = serve("echo.php", &flags).await;
    let mut dead = FrameClient::connect(proxy.address).await;
    dead.next_of(PING).await;
    while dead.next().await.is_some() {}
    let mut alive = FrameClient::connect(proxy.address).await;
    for _ in 0..3 {
        let ping = alive.next_of(PING).await;
        alive.acknowledge(&ping).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_with_goaway() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--max-connection-idle", "50ms"]).await;
    let mut idle = FrameClient::connect(proxy.address).await;
    let first = idle.next_of(GOAWAY).await;
    // RFC 9113, 6.8: the first GOAWAY announces the end, with the highest possible stream and NO_ERROR.
    assert_eq!(first.payload[..8], [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let ping = idle.next_of(PING).await;
    idle.acknowledge(&ping).await;
    let last = idle.next_of(GOAWAY).await;
    assert_eq!(last.payload[..8], [0; 8]);
    assert!(idle.next().await.is_none());
}

#[tokio::test]
async fn a_connection_with_a_call_is_not_idle() {
    let (_php_fpm, _proxy, client) = serve("sleep.php", &["--max-connection-idle", "1s"]).await;
    assert_eq!(
        client.call(b"a", &[("x-seconds", "2")]).await.content(),
        b"a"
    );
    client.closed().await;
}

#[tokio::test]
async fn an_old_connection_ends_with_its_calls() {
    let (_php_fpm, _proxy, client) = serve("sleep.php", &["--max-connection-age", "2s"]).await;
    assert_eq!(
        client.call(b"a", &[("x-seconds", "3")]).await.content(),
        b"a"
    );
    client.closed().await;
}

#[tokio::test]
async fn calls_of_an_old_connection_are_aborted_after_its_grace() {
    let flags = [
        "--max-connection-age",
        "2s",
        "--max-connection-age-grace",
        "100ms",
    ];
    let (_php_fpm, proxy, client) = serve("sleep.php", &flags).await;
    let headers = [("content-type", "application/grpc"), ("x-seconds", "30")];
    assert!(client.send("/a.B/C", vec![0; 5], &headers).await.is_err());
    proxy.metric_becomes("grpc_server_connections", 0.0).await;
}

#[tokio::test]
async fn the_number_of_serving_threads_can_be_set() {
    for (flags, threads) in [(&["--threads", "3"][..], 3), (&["--threads=1"], 1)] {
        let proxy = Proxy::start("tcp://127.0.0.1:9", "/app/index.php", flags).await;
        proxy.serving_threads_become(threads).await;
    }
}
