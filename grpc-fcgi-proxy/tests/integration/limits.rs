//! Bounds, and messages that are none.

use crate::support::{message, serve};

const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[tokio::test]
async fn a_call_that_waits_too_long_is_refused() {
    let flags = ["--max-exchanges", "1", "--max-wait", "50ms"];
    let (_php_fpm, proxy, client) = serve("sleep.php", &flags).await;
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.call(b"slow", &[("x-seconds", "2")]).await }
    });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    let refused = client.call(b"", &[("x-seconds", "0")]).await;
    assert_eq!(
        refused.status(),
        ("8", "no worker of the application became free in time")
    );
    assert_eq!(running.await.unwrap().content(), b"slow");
    assert_eq!(
        client.call(b"next", &[("x-seconds", "0")]).await.content(),
        b"next"
    );
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let flags = [
        "--max-exchanges",
        "1",
        "--max-waiting",
        "1",
        "--max-wait",
        "1h",
    ];
    let (_php_fpm, proxy, client) = serve("sleep.php", &flags).await;
    let call = |seconds: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.call(b"x", &[("x-seconds", seconds)]).await })
    };
    let running = call("2");
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    let waiting = call("0");
    proxy.metric_becomes("fcgi_calls_waiting", 1.0).await;
    assert_eq!(
        client.call(b"", &[("x-seconds", "0")]).await.status(),
        ("8", "too many calls wait for the application")
    );
    assert_eq!(running.await.unwrap().content(), b"x");
    assert_eq!(waiting.await.unwrap().content(), b"x");
}

#[tokio::test]
async fn messages_over_the_limit_are_refused_both_ways() {
    let (_php_fpm, _proxy, client) =
        serve("echo.php", &["--max-receive-message-size", "100"]).await;
    assert_eq!(client.call(&[b'x'; 100], &[]).await.content().len(), 100);
    let refused = client.call(&[b'x'; 101], &[]).await;
    assert_eq!(
        refused.status(),
        ("8", "the request message is larger than the limit")
    );

    let (_php_fpm, proxy, client) =
        serve("large.php", &["--max-send-message-size", "100000"]).await;
    assert_eq!(
        client
            .call(b"", &[("x-size", "100000")])
            .await
            .content()
            .len(),
        100_000
    );
    let refused = client.call(b"", &[("x-size", "100001")]).await;
    assert_eq!(
        refused.status(),
        ("8", "the application's answer is larger than the limit")
    );
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}

#[tokio::test]
async fn a_unary_call_has_exactly_one_whole_message() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let compressed = b"\x01\0\0\0\x01x".to_vec();
    let table: [(Vec<u8>, &str); 5] = [
        (vec![], "12"),
        ([message(b"one"), message(b"two")].concat(), "12"),
        (message(b"cut")[..6].to_vec(), "13"),
        (b"\x07\0\0\0\0".to_vec(), "13"),
        (compressed.clone(), "13"),
    ];
    for (body, code) in table {
        let answer = client.send("/a.B/C", body.clone(), &[GRPC]).await.unwrap();
        assert_eq!(answer.status().0, code, "{body:?}");
    }
    let answer = client
        .send("/a.B/C", compressed, &[GRPC, ("grpc-encoding", "snappy")])
        .await
        .unwrap();
    assert_eq!(answer.status(), ("12", "grpc-encoding is not supported"));
    assert_eq!(answer.headers["grpc-accept-encoding"], "identity,gzip,zstd");
}
