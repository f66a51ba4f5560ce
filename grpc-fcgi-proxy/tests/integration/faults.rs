//! An application that dies, or is not there.

use crate::support::serve;

#[tokio::test]
async fn an_answer_cut_short_is_an_error() {
    let (_php_fpm, proxy, client) = serve("cut_short.php", &[]).await;
    for _ in 0..5 {
        let answer = client.call(b"", &[]).await;
        assert_eq!(
            answer.status(),
            ("13", "the application ended before its answer was complete")
        );
        assert!(answer.body.is_empty());
    }
    assert_eq!(
        proxy
            .metric("fcgi_exchanges_total{outcome=\"failed\"}")
            .await,
        5.0
    );
    assert_eq!(proxy.metric("fcgi_exchanges_running").await, 0.0);
}

#[tokio::test]
async fn calls_fail_while_php_fpm_is_away_and_work_when_it_is_back() {
    let (mut php_fpm, proxy, client) = serve("echo.php", &[]).await;
    assert_eq!(client.call(b"a", &[]).await.content(), b"a");
    php_fpm.stop().await;
    for _ in 0..20 {
        let answer = client.call(b"b", &[]).await;
        assert_eq!(answer.status(), ("14", "the application cannot be reached"));
    }
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 503"));
    php_fpm.start_again().await;
    assert_eq!(client.call(b"c", &[]).await.content(), b"c");
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_script_that_is_not_there_is_unimplemented() {
    let (_php_fpm, mut proxy, client) = serve("missing.php", &[]).await;
    assert_eq!(client.call(b"", &[]).await.status().0, "12");
    let logged = proxy
        .logged(|record| record["target"] == "application")
        .await;
    assert!(
        logged["message"]
            .as_str()
            .unwrap()
            .contains("Primary script unknown")
    );
}
