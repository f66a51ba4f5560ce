//! Scripts that fail at boot, for a time.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::time::Instant;
use tonic::Code;

use super::{POOL, boots, call, proxy_for, retirements};
use crate::support::{Client, PhpFpm, php};

const FAILED: &str = "a resident worker does not boot";
const TWO: [&str; 2] = ["--resident-workers", "2"];

/// A script that boots differently while a file is there.
struct Release {
    folder: TempDir,
}

impl Release {
    /// `code` runs at boot while the release is broken.
    fn new(code: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "<?php if (is_file(__DIR__ . '/broken')) {{ {code} }} require '{}';",
            php("fixtures/resident.php").display()
        );
        std::fs::write(folder.path().join("index.php"), text).unwrap();
        Self { folder }
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("index.php")
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join("broken")
    }

    fn breaks(&self) {
        std::fs::write(self.mark(), "").unwrap();
    }

    fn is_mended(&self) {
        std::fs::remove_file(self.mark()).unwrap();
    }
}

async fn are_refused_at_once(client: &Client) {
    let response = client.call(b"", &[]).await;
    let message = "the application's workers are not available";
    assert_eq!(response.status(), (Code::Unavailable, message));
}

#[tokio::test]
async fn a_broken_release_is_tried_ever_less_often_and_reported_once() {
    let (php_fpm, release) = (
        PhpFpm::start_with(POOL).await,
        Release::new("throw new Exception('no database');"),
    );
    release.breaks();
    let began = Instant::now();
    let (mut proxy, client) = proxy_for(&php_fpm, &release.script(), &TWO).await;
    let record = proxy.logged(|record| record["message"] == FAILED).await;
    assert_eq!(record["level"], "WARN");
    // One of the two has failed four times, after pauses of 100, 200 and 400 ms, ±10 %.
    let failed = boots(&php_fpm, &release.script(), "failed");
    proxy.metric_reaches(&failed, 7.0).await;
    assert!(began.elapsed() > Duration::from_millis(630));
    are_refused_at_once(&client).await;
    let (head, _) = proxy.get("/healthz").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    release.is_mended();
    let ready = boots(&php_fpm, &release.script(), "ready");
    proxy.metric_becomes(&ready, 2.0).await;
    assert_eq!(call(&client, "mended").await, "mended");
    let messages = proxy.last_messages().await;
    assert!(!messages.iter().any(|message| message == FAILED));
}

#[tokio::test]
async fn a_broken_release_does_not_replace_the_workers() {
    let (php_fpm, release) = (
        PhpFpm::start_with(POOL).await,
        Release::new("throw new Exception('no database');"),
    );
    let (mut proxy, client) = proxy_for(&php_fpm, &release.script(), &TWO).await;
    let (ready, failed) = (
        boots(&php_fpm, &release.script(), "ready"),
        boots(&php_fpm, &release.script(), "failed"),
    );
    proxy.metric_becomes(&ready, 2.0).await;
    release.breaks();
    proxy.signal(Signal::SIGHUP);
    proxy.metric_reaches(&failed, 4.0).await;
    let record = proxy.logged(|record| record["message"] == FAILED).await;
    let error = record["error"].as_str().unwrap();
    assert!(error.starts_with("the script ended before it"), "{error}");
    for _ in 0..4 {
        assert_eq!(call(&client, "goes on").await, "goes on");
    }
    let (head, _) = proxy.get("/healthz").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(proxy.metric(&retirements("reload")).await.abs() < 0.1);
    release.is_mended();
    proxy.signal(Signal::SIGHUP);
    proxy.metric_reaches(&retirements("reload"), 2.0).await;
    assert_eq!(call(&client, "mended").await, "mended");
    let messages = proxy.last_messages().await;
    assert!(!messages.iter().any(|message| message == FAILED));
}

#[tokio::test]
async fn a_boot_that_hangs_is_given_up() {
    let (php_fpm, release) = (
        PhpFpm::start_with(POOL).await,
        Release::new("while (is_file(__DIR__ . '/broken')) { usleep(1000); clearstatcache(); }"),
    );
    release.breaks();
    let flags = [&TWO[..], &["--resident-boot-timeout", "500ms"]].concat();
    let (mut proxy, client) = proxy_for(&php_fpm, &release.script(), &flags).await;
    let record = proxy.logged(|record| record["message"] == FAILED).await;
    let error = record["error"].as_str().unwrap();
    assert!(error.starts_with("the script did not connect to the proxy in time: "));
    let failed = boots(&php_fpm, &release.script(), "failed");
    proxy.metric_reaches(&failed, 2.0).await;
    are_refused_at_once(&client).await;
    php_fpm.active_workers_become(2).await;
    release.is_mended();
    let ready = boots(&php_fpm, &release.script(), "ready");
    proxy.metric_becomes(&ready, 2.0).await;
    assert_eq!(call(&client, "mended").await, "mended");
}
