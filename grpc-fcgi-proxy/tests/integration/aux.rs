//! The auxiliary HTTP server.

use std::net::SocketAddr;

use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{MODES, PhpFpm, Proxy, TEST_TIMEOUT, php};

#[tokio::test]
async fn auxiliary_paths_are_answered_by_php() {
    for flags in MODES {
        are_answered(flags).await;
    }
}

/// By calls by themselves, in either mode.
async fn are_answered(mode: &[&str]) {
    let php_fpm = PhpFpm::start().await;
    let variables = format!(
        "--aux-path=/variables={}",
        php("fixtures/variables.php").display()
    );
    let healthz = format!("--aux-path=/healthz={}", php("item/healthz.php").display());
    let flags = [
        variables.as_str(),
        &healthz,
        "--aux-path=/status",
        "--aux-path=/none.php",
    ];
    let (script, flags) = (php("item/index.php"), [&flags, mode].concat());
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;

    let (head, body) = proxy.get("/variables?a=b").await;
    assert!(head.contains("content-type: application/grpc"), "{head}");
    let variables: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&variables["QUERY_STRING"], &variables["HTTP_X_A"]),
        (&"a=b".into(), &"1".into())
    );
    assert_eq!(variables["REQUEST_METHOD"], "GET");

    // 503 until a resident worker is ready.
    let healthy = async {
        loop {
            let (head, body) = proxy.get("/healthz").await;
            if head.starts_with("HTTP/1.1 200") {
                return body;
            }
        }
    };
    let body = timeout(TEST_TIMEOUT, healthy).await;
    assert_eq!(body.expect("/healthz fails").trim(), "OK");
    let (_, body) = proxy.get("/status?json").await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["pool"],
        "test"
    );
    assert!(proxy.get("/none.php").await.0.starts_with("HTTP/1.1 404"));
    assert!(proxy.get("/unknown").await.0.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_script_does_not_answer_healthz_while_no_resident_worker_is_ready() {
    let (php_fpm, folder) = (PhpFpm::start().await, tempfile::tempdir().unwrap());
    let script = folder.path().join("script.php");
    std::fs::write(&script, "<?php exit;").unwrap();
    let healthz = format!("--aux-path=/healthz={}", php("item/healthz.php").display());
    let flags = ["--resident-workers=1", "--aux-path=/status", &healthz];
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let (head, body) = proxy.get("/healthz").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(body, "no resident worker is ready\n");
    assert!(proxy.get("/status").await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_auxiliary_path_without_php_fpm_is_503() {
    let mut php_fpm = PhpFpm::start().await;
    let script = php("item/index.php");
    let proxy = Proxy::start(
        &php_fpm.url(),
        script.to_str().unwrap(),
        &["--aux-path=/status"],
    )
    .await;
    php_fpm.stop().await;
    let (head, body) = proxy.get("/status").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(body, "no answer from php-fpm\n");
}

/// The exit status of the command `health`, and what it prints.
async fn health(address: SocketAddr) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
        .arg("health")
        .env("GRPC_FCGI_PROXY_AUX_ADDRESS", address.to_string())
        // As in a container that sets the proxy's flags by its environment.
        .env("GRPC_FCGI_PROXY_ENTRY_SCRIPT", "/app/index.php")
        .output()
        .await
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[tokio::test]
async fn the_command_health_reports_what_healthz_answers() {
    let mut php_fpm = PhpFpm::start().await;
    let script = php("item/index.php");
    let mut proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
    let address = proxy.aux_address;
    assert_eq!(health(address).await, (Some(0), "OK\n".to_owned()));
    php_fpm.stop().await;
    let expected = (Some(1), "php-fpm is unreachable\n".to_owned());
    assert_eq!(health(address).await, expected);
    proxy.terminate();
    proxy.wait().await;
    let (status, text) = health(address).await;
    let expected = format!("no proxy listens on {address}: ");
    assert!(
        status == Some(1) && text.starts_with(&expected),
        "{status:?} {text}"
    );
}
