//! Limits on calls and messages.

use tonic::Code;

use crate::support::{message, serve, serve_streams};

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
        (
            Code::ResourceExhausted,
            "too many calls are waiting for the application"
        )
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
        (
            Code::ResourceExhausted,
            "the request message exceeds the size limit"
        )
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
        (
            Code::ResourceExhausted,
            "the application's answer exceeds the size limit"
        )
    );
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}

#[tokio::test]
async fn a_call_with_an_incomplete_request_holds_a_slot() {
    let flags = ["--max-calls", "2", "--connection-share", "100"];
    let (_php_fpm, proxy, client) = serve("echo.php", &flags).await;
    let halves = [(); 2].map(|()| client.stream("Method", &[]));
    for half in &halves {
        half.send_bytes(&message(b"whole")[..7]);
    }
    proxy.metric_becomes("grpc_server_calls", 2.0).await;
    let refused = client.call(b"", &[]).await;
    assert_eq!(
        refused.status(),
        (Code::ResourceExhausted, "too many concurrent calls")
    );
    let check = "/grpc.health.v1.Health/Check";
    let check = client.call_method(check, b"", &[]).await;
    assert_eq!(check.status().0, Code::Ok);
    for mut half in halves {
        half.send_bytes(&message(b"whole")[7..]);
        half.half_close();
        assert_eq!(half.next().await.unwrap(), b"whole");
        assert_eq!(half.status().await.0, Code::Ok);
    }
    assert_eq!(client.call(b"next", &[]).await.content(), b"next");
}

#[tokio::test]
async fn a_call_with_an_unread_response_holds_a_slot() {
    let (_php_fpm, _proxy, client) = serve("large.php", &["--max-calls", "1"]).await;
    let mut unread = client.stream("Method", &[("x-size", "16000000")]);
    unread.send(b"");
    unread.half_close();
    unread.headers().await;
    let next = async || client.call(b"", &[("x-size", "1")]).await;
    assert_eq!(next().await.status().0, Code::ResourceExhausted);
    assert_eq!(unread.next().await.unwrap().len(), 16_000_000);
    assert_eq!(unread.status().await.0, Code::Ok);
    assert_eq!(next().await.content().len(), 1);
}

#[tokio::test]
async fn a_stalled_request_ends_its_call() {
    let flags = ["--max-request-idle", "200ms"];
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &flags).await;
    // A bidirectional stream may pause.
    let mut free = client.stream("BidiStream", &[]);
    free.send(b"early");
    assert_eq!(free.next().await.unwrap(), b"early");
    for method in ["Method", "ServerStream"] {
        for begun in [&b""[..], &message(b"whole")[..7], &message(b"whole")] {
            let mut stalled = client.stream(method, &[]);
            stalled.send_bytes(begun);
            let (code, text) = {
                while stalled.next().await.is_some() {}
                stalled.status().await
            };
            assert_eq!(code, Code::DeadlineExceeded, "{method} {begun:?}");
            assert_eq!(text, "timed out waiting for the request message");
        }
    }
    free.send(b"late");
    assert_eq!(free.next().await.unwrap(), b"late");
    free.half_close();
    assert_eq!(free.status().await.0, Code::Ok);
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}
