//! The drain after SIGTERM, and other signals.

use nix::sys::signal::Signal;
use tonic::Code;

use crate::support::{Client, serve};

#[tokio::test]
async fn a_running_call_completes_and_no_new_connection_is_accepted() {
    let (_php_fpm, mut proxy, client) = serve("sleep.php", &[]).await;
    let running = tokio::spawn(async move { client.call(b"whole", &[("x-seconds", "1")]).await });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    proxy.terminate();
    proxy.logged(|record| record["message"] == "draining").await;
    assert!(tokio::net::TcpStream::connect(proxy.address).await.is_err());
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 503"));
    assert_eq!(running.await.unwrap().content(), b"whole");
    assert!(proxy.wait().await.success());
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_exit() {
    let (_php_fpm, mut proxy, _client) = serve("echo.php", &[]).await;
    let _second = Client::connect(proxy.address).await;
    proxy.terminate();
    assert!(proxy.wait().await.success());
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_aborted() {
    let (_php_fpm, mut proxy, client) = serve("sleep.php", &["--drain-timeout", "50ms"]).await;
    let headers = [("content-type", "application/grpc"), ("x-seconds", "30")];
    let running = tokio::spawn(async move { client.send("/a.B/C", vec![0; 5], &headers).await });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    proxy.terminate();
    assert!(proxy.wait().await.success());
    assert_eq!(
        running.await.unwrap().unwrap().status(),
        (Code::Unavailable, "the proxy is shutting down")
    );
}

/// Images made from php-fpm's have STOPSIGNAL SIGQUIT.
#[tokio::test]
async fn every_signal_that_stops_a_server_drains() {
    for signal in [Signal::SIGQUIT, Signal::SIGINT, Signal::SIGTERM] {
        let (_php_fpm, mut proxy, client) = serve("sleep.php", &[]).await;
        let running =
            tokio::spawn(async move { client.call(b"whole", &[("x-seconds", "1")]).await });
        proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
        proxy.signal(signal);
        assert_eq!(running.await.unwrap().content(), b"whole", "{signal}");
        assert!(proxy.wait().await.success(), "{signal}");
    }
}

#[tokio::test]
async fn other_signals_are_ignored() {
    let (_php_fpm, proxy, client) = serve("echo.php", &[]).await;
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
        proxy.signal(signal);
        let response = client.call(b"alive", &[]).await;
        assert_eq!(response.content(), b"alive", "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_proxy_at_once() {
    let (_php_fpm, mut proxy, client) = serve("sleep.php", &[]).await;
    let running = tokio::spawn(async move {
        let headers = [("content-type", "application/grpc"), ("x-seconds", "30")];
        client.send("/a.B/C", vec![0; 5], &headers).await
    });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    proxy.terminate();
    proxy.logged(|record| record["message"] == "draining").await;
    proxy.terminate();
    assert!(!proxy.wait().await.success());
    assert!(running.await.unwrap().is_err());
}
