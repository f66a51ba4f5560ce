//! A collector that is away, refuses, or hangs: no call fails or waits for it, and nothing grows.

use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{TRACE, TRACEPARENT, hex, start};
use crate::support::collector::Collector;
use crate::support::{Client, TEST_TIMEOUT};

const EXPORTED: &str = r#"otlp_spans_total{outcome="exported"}"#;
const DROPPED: &str = r#"otlp_spans_total{outcome="dropped"}"#;
const FAILED: &str = r#"otlp_spans_total{outcome="failed"}"#;

async fn call(client: &Client, times: usize) {
    for _ in 0..times {
        let response = client.call(b"", &[TRACEPARENT]).await;
        assert_eq!(response.status().0, Code::Ok);
    }
}

#[tokio::test]
async fn a_collector_that_is_away_gets_what_the_queue_keeps_when_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let queue = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "3"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ];
    let url = format!("http://{address}");
    let (_php_fpm, mut proxy, client) = start(&url, "echo.php", &[], &queue).await;
    call(&client, 1).await;
    let failing = "cannot send spans to the collector";
    proxy.logged(|record| record["message"] == failing).await;
    call(&client, 10).await;
    proxy.metric_becomes(DROPPED, 7.0).await;
    let mut collector = Collector::start_at(address).await;
    for _ in 0..4 {
        assert_eq!(hex(&collector.span().await.trace_id), TRACE);
    }
    proxy.metric_becomes(EXPORTED, 4.0).await;
    let report = proxy
        .logged(|record| record["message"] == "dropped spans, since too many were waiting")
        .await;
    assert_eq!(report["spans"], 7);
}

#[tokio::test]
async fn a_batch_is_sent_again_unless_the_collector_refuses_it_for_good() {
    let refusals = vec![
        Status::unavailable("restarting"),
        Status::invalid_argument("no"),
    ];
    let mut collector = Collector::refusing(refusals).await;
    let (_php_fpm, mut proxy, client) = start(&collector.url(), "echo.php", &[], &[]).await;
    call(&client, 1).await;
    let first = collector.batch().await.content;
    assert_eq!(collector.batch().await.content, first);
    proxy.metric_becomes(FAILED, 1.0).await;
    let lost = "lost spans, since the collector does not take them";
    let record = proxy.logged(|record| record["message"] == lost).await;
    assert_eq!(record["spans"], 1);
    call(&client, 1).await;
    proxy.metric_becomes(EXPORTED, 1.0).await;
    let again = "the collector takes spans again";
    proxy.logged(|record| record["message"] == again).await;
}

#[tokio::test]
async fn a_collector_that_hangs_delays_neither_calls_nor_the_end() {
    let mut collector = Collector::holding().await;
    let variables = [("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")];
    let (_php_fpm, mut proxy, client) = start(&collector.url(), "echo.php", &[], &variables).await;
    call(&client, 1).await;
    collector.batch().await;
    call(&client, 10).await;
    proxy.terminate();
    let late = "the collector did not take the last spans in time";
    proxy.logged(|record| record["message"] == late).await;
    let end = timeout(TEST_TIMEOUT, proxy.wait()).await;
    assert!(end.expect("the proxy did not end").success());
}

#[tokio::test]
async fn the_last_spans_are_sent_at_the_end() {
    let mut collector = Collector::start().await;
    let variables = [("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
    let (_php_fpm, proxy, client) = start(&collector.url(), "echo.php", &[], &variables).await;
    call(&client, 2).await;
    proxy.terminate();
    for _ in 0..2 {
        assert_eq!(hex(&collector.span().await.trace_id), TRACE);
    }
}
