//! Abandoned exchanges: the client has gone, and the script still runs.

use crate::support::{Client, serve};

/// The worker must not count as free while the script runs.
#[tokio::test]
async fn an_abandoned_exchange_counts_until_its_script_ends() {
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
