//! php-fpm is down, or the script is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tonic::Code;

use super::{check_recovery, serve_fixture, status};
use crate::support::serve;

#[tokio::test]
async fn calls_fail_while_php_fpm_is_down_and_work_when_it_is_back() {
    let (mut php_fpm, proxy, client) = serve("echo.php", &[]).await;
    assert_eq!(client.call(b"a", &[]).await.content(), b"a");
    php_fpm.stop().await;
    for _ in 0..20 {
        let response = client.call(b"b", &[]).await;
        assert_eq!(
            response.status(),
            (Code::Unavailable, "the application is unreachable")
        );
    }
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 503"));
    php_fpm.start_again().await;
    assert_eq!(client.call(b"c", &[]).await.content(), b"c");
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_missing_script_is_unimplemented() {
    let (_php_fpm, mut proxy, client) = serve("missing.php", &[]).await;
    assert_eq!(client.call(b"", &[]).await.status().0, Code::Unimplemented);
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

const CALLERS: usize = 32;

/// The numbers of calls that have ended, by status.
#[derive(Debug, Default)]
struct Counts {
    ok: AtomicUsize,
    unavailable: AtomicUsize,
    stop: AtomicBool,
}

impl Counts {
    fn count(&self, status: (Code, &str)) {
        match status {
            (Code::Ok, "") => &self.ok,
            (
                Code::Unavailable,
                "the application is unreachable"
                | "the application closed the connection without an answer",
            ) => &self.unavailable,
            other => panic!("a call ended with {other:?}"),
        }
        .fetch_add(1, Ordering::Relaxed);
    }
}

/// Needs no timeout: a caller fails if its call hangs.
async fn wait_for_one_per_caller(count: &AtomicUsize) {
    let from = count.load(Ordering::Relaxed);
    while count.load(Ordering::Relaxed) < from + CALLERS {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn php_fpm_may_restart_under_load() {
    let (mut php_fpm, proxy, client) = serve_fixture("sleep.php", &[]).await;
    let counts = Arc::new(Counts::default());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (client, counts) = (client.clone(), Arc::clone(&counts));
            tokio::spawn(async move {
                while !counts.stop.load(Ordering::Relaxed) {
                    let response = client.call(b"x", &[("x-seconds", "0.005")]).await;
                    counts.count(response.status());
                }
            })
        })
        .collect();
    for _ in 0..3 {
        wait_for_one_per_caller(&counts.ok).await;
        php_fpm.stop().await;
        wait_for_one_per_caller(&counts.unavailable).await;
        php_fpm.start_again().await;
    }
    wait_for_one_per_caller(&counts.ok).await;
    counts.stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    check_recovery(&php_fpm, &proxy, &client).await;
    for _ in 0..CALLERS {
        let response = client.call(b"x", &[("x-seconds", "0")]).await;
        assert_eq!(response.content(), b"x");
    }
}

#[tokio::test]
async fn an_open_stream_fails_when_php_fpm_stops() {
    let (mut php_fpm, proxy, client) = serve_fixture("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.send(b"one");
    assert_eq!(call.next().await.unwrap(), b"one");
    php_fpm.stop().await;
    assert_eq!(
        call.status().await,
        status(
            Code::Internal,
            "the application closed the connection before its answer was complete"
        )
    );
    php_fpm.start_again().await;
    check_recovery(&php_fpm, &proxy, &client).await;
}
