//! A client that goes away while PHP works for it.

use crate::support::{Client, serve};

/// Who has gone away does not end the script: the next call must not queue up behind it unseen.
#[tokio::test]
async fn a_worker_is_counted_until_it_is_done_with_a_client_that_is_gone() {
    let (_php_fpm, mut proxy, client) = serve("sleep.php", &["--max-exchanges", "1"]).await;
    let gone = tokio::spawn(async move { client.call(b"", &[("x-seconds", "4")]).await });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    gone.abort();
    let ended = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(ended["grpc_code"], "Canceled");
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
