//! Bounds.

use crate::support::serve;

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
