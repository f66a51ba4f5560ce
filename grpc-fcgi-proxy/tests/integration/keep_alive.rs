//! Kept connections to php-fpm.

use tokio::net::UnixListener;
use tonic::Code;

use crate::support::serve;

const OPEN: &str = "fcgi_connections_open";

#[tokio::test]
async fn by_default_each_call_gets_a_new_connection() {
    let (_php_fpm, proxy, client) = serve("echo.php", &[]).await;
    assert_eq!(client.call(b"a", &[]).await.content(), b"a");
    assert_eq!(proxy.metric(OPEN).await, 0.0);
    let sent = proxy.metric("fcgi_bytes_total{direction=\"sent\"}").await;
    let received = proxy
        .metric("fcgi_bytes_total{direction=\"received\"}")
        .await;
    assert!(
        sent > 300.0 && received > 40.0,
        "{sent} sent, {received} received"
    );
}

#[tokio::test]
async fn a_kept_connection_serves_the_next_call_and_is_closed_when_idle() {
    let (_php_fpm, proxy, client) = serve("echo.php", &["--fastcgi-keep-alive", "500ms"]).await;
    for number in 0..20 {
        let message = vec![b'x'; 100 * number];
        assert_eq!(client.call(&message, &[]).await.content(), message);
        assert_eq!(proxy.metric(OPEN).await, 1.0);
    }
    proxy.metric_becomes(OPEN, 0.0).await;
    assert_eq!(client.call(b"again", &[]).await.content(), b"again");
}

#[tokio::test]
async fn a_kept_connection_that_has_ended_is_not_used() {
    let (mut php_fpm, _proxy, client) = serve("echo.php", &["--fastcgi-keep-alive", "60s"]).await;
    for _ in 0..3 {
        assert_eq!(client.call(b"a", &[]).await.content(), b"a");
        php_fpm.stop().await;
        php_fpm.start_again().await;
    }
}

/// php-fpm would read the next request only after the work behind `fastcgi_finish_request()`.
#[tokio::test]
async fn a_worker_that_goes_on_after_its_answer_gets_no_other_call() {
    let (_php_fpm, proxy, client) = serve("finished.php", &["--fastcgi-keep-alive", "60s"]).await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let metadata = [("x-socket", socket.to_str().unwrap())];
    assert_eq!(client.call(b"first", &metadata).await.content(), b"first");
    let (working, _) = listener.accept().await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.call(b"next", &[]).await.content(), b"next");
    }
    // Its place is taken until it is done.
    assert_eq!(proxy.metric("fcgi_exchanges_abandoned").await, 1.0);
    assert_eq!(proxy.metric("fcgi_exchanges_running").await, 1.0);
    drop(working);
    proxy.metric_becomes("fcgi_exchanges_running", 0.0).await;
}

#[tokio::test]
async fn a_failed_call_does_not_keep_its_connection() {
    let (_php_fpm, proxy, client) = serve("killed.php", &["--fastcgi-keep-alive", "60s"]).await;
    let metadata = [("x-when", "after"), ("x-answer-bin", "d2hvbGU=")];
    assert_eq!(client.call(b"", &metadata).await.status().0, Code::Internal);
    proxy.metric_becomes(OPEN, 0.0).await;
}
