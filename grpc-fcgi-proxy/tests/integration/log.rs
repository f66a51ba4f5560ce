//! The log: PHP's messages, calls, and what repeats.

use futures_util::future::join_all;
use tokio::time::timeout;
use tonic::Code;

use crate::support::{Client, Frame, FrameClient, PING, Proxy, TEST_TIMEOUT, ending_with, serve};

const DROPPED: &str = "log_records_dropped_total";

#[tokio::test]
async fn each_message_of_php_is_logged_with_its_level_and_the_ids_of_the_call() {
    let (_php_fpm, mut proxy, client) = serve("messages.php", &[]).await;
    let response = client
        .call(
            b"body",
            &[
                ("x-request-id", "id-\"quoted\""),
                ("traceparent", "00-trace-span-01"),
            ],
        )
        .await;
    assert_eq!(response.status().0, Code::Unknown);
    for (level, text) in [
        ("WARN", "a line with \"quotes\" and \\backslashes\\"),
        ("WARN", "another line"),
        ("WARN", "text\nof three\nlines"),
        ("INFO", "PHP Notice:  a notice in"),
        ("WARN", "PHP Warning:  Undefined variable $undefined in"),
        ("ERROR", "PHP Fatal error:  Uncaught Exception: the end in"),
    ] {
        let record = proxy
            .logged(|record| record["target"] == "application")
            .await;
        let message = record["message"].as_str().unwrap();
        assert!(message.starts_with(text), "{message}");
        assert_eq!(record["level"], level, "{message}");
        assert_eq!(record["request_id"], "id-\"quoted\"");
        assert_eq!(record["trace_id"], "trace");
        assert_eq!(record["path"], "/test.Service/Method");
    }
}

#[tokio::test]
async fn a_call_is_logged() {
    let (_php_fpm, mut proxy, client) = serve("status.php", &[]).await;
    client
        .call(
            b"",
            &[
                ("x-request-id", "abc"),
                ("b3", "trace-span-1"),
                ending_with(Code::NotFound),
            ],
        )
        .await;
    let record = proxy.logged(|record| record["message"] == "call").await;
    for (field, value) in [
        ("path", "/test.Service/Method"),
        ("request_id", "abc"),
        ("trace_id", "trace"),
        ("grpc_code", "NotFound"),
        ("level", "INFO"),
    ] {
        assert_eq!(record[field], value, "{record}");
    }
    assert!(record["duration_ms"].as_f64().unwrap() > 0.0);
}

/// h2 itself warns about each.
#[tokio::test]
async fn what_a_client_repeats_is_logged_at_a_bounded_rate() {
    let (_php_fpm, mut proxy, _client) = serve("echo.php", &[]).await;
    let mut client = FrameClient::connect(proxy.address).await;
    let never_sent = Frame {
        kind: PING,
        flags: 1,
        stream: 0,
        payload: vec![0; 8],
    };
    for _ in 0..1000 {
        client.acknowledge(&never_sent).await;
    }
    let mut logged = 0;
    let report = proxy
        .logged(|record| {
            logged += u32::from(record["target"] == "h2::proto::ping_pong");
            record["left_out"].is_u64()
        })
        .await;
    assert!((1..100).contains(&logged), "{logged} warnings");
    assert_eq!(report["of"], "h2::proto::ping_pong");
    assert!(report["example"].as_str().unwrap().contains("PING"));
}

#[tokio::test]
async fn calls_refused_without_a_script_are_logged_at_a_bounded_rate() {
    let (_php_fpm, mut proxy, client) = serve("echo.php", &[]).await;
    for _ in 0..200 {
        let response = client.call(b"", &[("grpc-timeout", "never")]).await;
        assert_eq!(response.status().0, Code::Internal);
    }
    let mut logged = 0;
    let report = proxy
        .logged(|record| {
            logged += u32::from(record["message"] == "call failed");
            record["left_out"].is_u64()
        })
        .await;
    assert!((1..200).contains(&logged), "{logged} warnings");
    assert_eq!(report["example"], "call failed");
}

/// PHP logs until the proxy has more to log than it keeps.
async fn exceed_the_log(proxy: &Proxy, client: &Client) {
    while proxy.metric(DROPPED).await == 0.0 {
        let calls = (0..10).map(|_| client.call(b"", &[("x-size", "65536")]));
        for response in join_all(calls).await {
            assert_eq!(response.status().0, Code::Ok);
        }
    }
}

#[tokio::test]
async fn a_log_that_is_not_read_holds_up_neither_calls_nor_the_exit() {
    let (_php_fpm, mut proxy, client) = serve("stderr_flood.php", &[]).await;
    proxy.hold_log(true);
    exceed_the_log(&proxy, &client).await;
    assert_eq!(
        client.call(b"", &[("x-size", "0")]).await.status().0,
        Code::Ok
    );
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
    proxy.terminate();
    let exit = timeout(TEST_TIMEOUT, proxy.wait()).await;
    assert!(exit.expect("the proxy does not end").success());
}

#[tokio::test]
async fn the_log_reports_what_it_lacks() {
    let (_php_fpm, mut proxy, client) = serve("stderr_flood.php", &[]).await;
    proxy.hold_log(true);
    exceed_the_log(&proxy, &client).await;
    let dropped = proxy.metric(DROPPED).await;
    proxy.hold_log(false);
    let record = proxy
        .logged(|record| record["message"] == "the log lacks records: its reader was too slow")
        .await;
    assert_eq!(record["records"].as_f64(), Some(dropped), "{record}");
    assert_eq!(record["level"], "WARN");
    client
        .call(b"", &[("x-size", "0"), ("x-request-id", "again")])
        .await;
    proxy.logged(|record| record["request_id"] == "again").await;
}
