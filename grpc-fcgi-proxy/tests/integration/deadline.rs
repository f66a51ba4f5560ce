//! Deadlines and cancellation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

use crate::support::{Client, serve};

#[tokio::test]
async fn a_deadline_that_is_over_is_told_in_time() {
    let (_php_fpm, proxy, client) = serve("sleep.php", &[]).await;
    let metadata = [("x-seconds", "5"), ("grpc-timeout", "50m")];
    let answer = timeout(Duration::from_secs(2), client.call(b"", &metadata))
        .await
        .expect("in time");
    assert_eq!(answer.status(), ("4", "the deadline is over"));
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}

#[tokio::test]
async fn php_is_told_the_deadline() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let variables = client
        .call(b"", &[("grpc-timeout", "10S")])
        .await
        .variables();
    let deadline = variables["GRPC_DEADLINE"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let deadline = Duration::from_micros(deadline).saturating_sub(before);
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(15)).contains(&deadline),
        "{deadline:?}"
    );
}

#[tokio::test]
async fn a_timeout_that_cannot_be_read_is_refused() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for text in ["", "1", "1s", "123456789S", "-1S"] {
        let answer = client.call(b"", &[("grpc-timeout", text)]).await;
        assert_eq!(
            answer.status(),
            ("13", "malformed grpc-timeout"),
            "{text:?}"
        );
    }
}

/// Who has gone away does not end the script: the next call must not queue up behind it unseen.
#[tokio::test]
async fn a_worker_is_counted_until_it_is_done_with_a_client_that_is_gone() {
    let (_php_fpm, mut proxy, client) = serve("sleep.php", &["--max-exchanges", "1"]).await;
    let gone = tokio::spawn(async move { client.call(b"", &[("x-seconds", "1")]).await });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    gone.abort();
    let ended = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(ended["code"], "Canceled");
    assert_eq!(
        proxy
            .metric("fcgi_exchanges_total{outcome=\"abandoned\"}")
            .await,
        1.0
    );
    assert_eq!(proxy.metric("fcgi_exchanges_running").await, 1.0);
    assert_eq!(proxy.metric("fcgi_exchanges_abandoned").await, 1.0);
    let client = Client::connect(proxy.address).await;
    let next = client.call(b"next", &[("x-seconds", "0")]).await;
    assert_eq!(next.content(), b"next");
    assert_eq!(proxy.metric("fcgi_exchanges_abandoned").await, 0.0);
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}
