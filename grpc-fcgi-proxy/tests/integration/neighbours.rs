//! What one stream, or one connection, does never costs another its calls.

use tonic::Code;

use crate::support::{
    Client, DATA, FrameClient, GOAWAY, HEADERS, PhpFpm, Proxy, RST_STREAM, descriptors, message,
    php, serve,
};

/// Serves streams whose scripts do not read, and the service `other.Service`, which echoes.
async fn serve_unread() -> (PhpFpm, Proxy, Client) {
    let php_fpm = PhpFpm::start_with("pm.max_children = 8\n").await;
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), descriptors::test_service()).unwrap();
    let route = format!("other.Service={}", php("fixtures/echo.php").display());
    let flags = [
        "--descriptor-set",
        set.path().to_str().unwrap(),
        "--route",
        &route,
    ];
    let script = php("fixtures/stream_slow.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = Client::connect(proxy.address).await;
    (php_fpm, proxy, client)
}

async fn echo(client: &Client, content: &[u8]) {
    let response = client
        .call_method("/other.Service/Method", content, &[])
        .await;
    assert_eq!(response.content(), content);
}

#[tokio::test]
async fn small_messages_to_a_script_that_does_not_read_wait() {
    let (_php_fpm, proxy, client) = serve_unread().await;
    for size in [0, 20, 100] {
        let mut stream = client.stream("BidiStream", &[]);
        stream.send_repeated(&message(&vec![b'x'; size]).into(), 100_000);
        for _ in 0..10 {
            assert!(stream.next().await.is_some());
            echo(&client, b"beside").await;
        }
    }
    // The client's own memory is not the proxy's.
    assert!(proxy.peak_memory() < 64 * 1024, "{}", proxy.peak_memory());
}

#[tokio::test]
async fn held_back_streams_do_not_hold_back_others() {
    let (_php_fpm, _proxy, client) = serve_unread().await;
    let mut streams = [(); 3].map(|()| client.stream("BidiStream", &[]));
    for stream in &mut streams {
        stream.send_repeated(&message(&[b'x'; 10_000]).into(), 200);
        assert!(stream.next().await.is_some());
    }
    echo(&client, &[b'y'; 1_000_000]).await;
}

#[tokio::test]
async fn calls_that_are_reset_early_cost_no_other_call() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &[]).await;
    let mut client = FrameClient::connect(proxy.address).await;
    // As many short deadlines as may expire while the proxy is busy.
    client.reset_calls(1000).await;
    let beside = client.call(b"beside").await;
    let answer = client.next_of(DATA).await;
    assert_eq!(
        (answer.stream, answer.payload),
        (beside, message(b"beside"))
    );
}

/// CVE-2023-44487.
#[tokio::test]
async fn rapid_resets_end_their_connection() {
    let (_php_fpm, mut proxy, client) = serve("echo.php", &[]).await;
    let mut attacker = FrameClient::connect(proxy.address).await;
    attacker.reset_calls(50_000).await;
    let goaway = attacker.next_of(GOAWAY).await;
    assert_eq!(goaway.payload[4..8], [0, 0, 0, 11]);
    let record = proxy
        .logged(|record| record["level"] == "WARN" && record["peer"].is_string())
        .await;
    assert_eq!(record["peer"], attacker.address().to_string());
    assert!(proxy.peak_memory() < 64 * 1024, "{}", proxy.peak_memory());
    assert_eq!(client.call(b"other", &[]).await.content(), b"other");
}

#[tokio::test]
async fn refusals_do_not_add_up_to_the_end_of_the_connection() {
    let flags = ["--max-receive-message-size", "100"];
    let (_php_fpm, proxy, _client) = serve("echo.php", &flags).await;
    let mut client = FrameClient::connect(proxy.address).await;
    let (prefix, rest) = (&message(&[b'x'; 101])[..5], &[b'x'; 101]);
    for _ in 0..30 {
        let mut calls = Vec::new();
        for _ in 0..100 {
            calls.push(client.begin_call(prefix).await);
        }
        for _ in &calls {
            // The refusal.
            client.next_of(HEADERS).await;
        }
        for call in calls {
            client.end_call(call, rest).await;
        }
    }
    let next = client.call(b"next").await;
    let answer = client.next_of(DATA).await;
    assert_eq!((answer.stream, answer.payload), (next, message(b"next")));
}

#[tokio::test]
async fn a_response_that_is_not_taken_is_reset() {
    let flags = ["--max-response-idle", "300ms"];
    let (_php_fpm, proxy, client) = serve("echo.php", &flags).await;
    let mut unread = FrameClient::connect(proxy.address).await;
    unread.close_windows().await;
    let call = unread.call(b"unread").await;
    let reset = unread.next_of(RST_STREAM).await;
    // ENHANCE_YOUR_CALM, which a gRPC client reports as RESOURCE_EXHAUSTED.
    assert_eq!((reset.stream, reset.payload), (call, vec![0, 0, 0, 11]));
    proxy.metric_becomes("grpc_server_calls", 0.0).await;
    assert_eq!(client.call(b"other", &[]).await.content(), b"other");
}

#[tokio::test]
async fn one_connection_cannot_hold_all_slots() {
    let (_php_fpm, proxy, greedy) = serve("echo.php", &["--max-calls", "8"]).await;
    let halves: Vec<_> = (0..8).map(|_| greedy.stream("Method", &[])).collect();
    proxy.metric_becomes("grpc_server_calls", 7.0).await;
    let refused = greedy.call(b"", &[]).await;
    let text = "too many concurrent calls on this connection";
    assert_eq!(refused.status(), (Code::ResourceExhausted, text));
    let other = Client::connect(proxy.address).await;
    assert_eq!(other.call(b"other", &[]).await.content(), b"other");
    drop(halves);
}

#[tokio::test]
async fn the_calls_of_builtin_services_are_bounded_for_each_connection() {
    const WATCH: &str = "/grpc.health.v1.Health/Watch";
    let (_php_fpm, proxy, greedy) = serve("echo.php", &["--max-calls", "8"]).await;
    let mut streams = Vec::new();
    for _ in 0..7 {
        let mut stream = greedy.stream_at(WATCH, &[]);
        stream.send(b"");
        stream.half_close();
        assert!(stream.next().await.is_some());
        streams.push(stream);
    }
    let mut refused = greedy.stream_at(WATCH, &[]);
    refused.send(b"");
    refused.half_close();
    assert_eq!(refused.status().await.0, Code::ResourceExhausted);
    let other = Client::connect(proxy.address).await;
    let check = other
        .call_method("/grpc.health.v1.Health/Check", b"", &[])
        .await;
    assert_eq!(check.status().0, Code::Ok);
    drop(streams);
    proxy.metric_becomes("grpc_server_builtin_calls", 0.0).await;
}
