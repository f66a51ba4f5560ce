//! A unary script that dies in the middle of its message, while its worker lives on: php-fpm ends the answer as if it were
//! complete.
//!
//! Not in resident workers, whose answers have an end of their own: `resident::ends`.

use tonic::Code;

use super::{check_recovery, serve_fixture};
use crate::support::{Client, PhpFpm, Proxy, php};

const FAILED: (Code, &str) = (Code::Internal, "the application failed during its answer");
const MALFORMED: (Code, &str) = (Code::Internal, "the application's answer is malformed");
const NO_STATUS: (Code, &str) = (Code::Unknown, "the application sent no status");

#[tokio::test]
async fn a_fatal_error_in_the_log_fails_an_answer_without_a_status() {
    let (php_fpm, proxy, client) = serve_fixture("dies.php", &[]).await;
    for how in ["throw", "parse", "exhaust", "type"] {
        let response = client.call(b"", &[("x-how", how)]).await;
        assert_eq!(response.status(), FAILED, "{how}");
        assert!(response.body.is_empty());
    }
    let failed = "fcgi_exchanges_total{outcome=\"failed\"}";
    assert_eq!(proxy.metric(failed).await, 4.0);
    check_recovery(&php_fpm, &proxy, &client).await;
}

#[tokio::test]
async fn an_answer_of_another_length_than_declared_is_an_error() {
    let (php_fpm, mut proxy, client) = serve_fixture("dies.php", &[]).await;
    for (length, status) in [
        ("69999", MALFORMED),
        ("70000", (Code::Ok, "")),
        ("70001", MALFORMED),
    ] {
        let metadata = [("x-how", "exit"), ("x-length", length)];
        let response = client.call(b"", &metadata).await;
        assert_eq!(response.status(), status, "{length}");
    }
    let logged = proxy.logged(|record| record["error"].is_string()).await;
    let error = "the answer's Content-Length is 69999, but its body has 70000 bytes";
    assert_eq!(logged["error"], error);
    check_recovery(&php_fpm, &proxy, &client).await;
}

/// Without a fatal error or a length, nothing shows that the message is not whole.
#[tokio::test]
async fn an_exit_is_ok_unless_a_status_is_required() {
    let exit = [("x-how", "exit")];
    let (_php_fpm, mut proxy, client) = serve_fixture("dies.php", &[]).await;
    for _ in 0..3 {
        let response = client.call(b"", &exit).await;
        assert_eq!(response.status(), (Code::Ok, ""));
    }
    let text = "counts as OK, but its Content-Type is not application/grpc";
    let is_warning = |record: &serde_json::Value| {
        let message = record["message"].as_str();
        message.is_some_and(|message| message.contains(text))
    };
    let warning = proxy.logged(is_warning).await;
    assert_eq!(
        (&warning["level"], &warning["calls"]),
        (&"WARN".into(), &1.into())
    );
    let (_php_fpm, _proxy, client) = serve_fixture("dies.php", &["--require-status"]).await;
    assert_eq!(client.call(b"", &exit).await.status(), NO_STATUS);
}

/// grpc-server can send no status after it; the call was OK, with the newline as its message.
#[tokio::test]
async fn a_newline_in_front_of_an_answer_of_grpc_server_is_an_error() {
    let lines = "pm.max_children = 2\nphp_admin_value[output_buffering] = 0\n";
    let php_fpm = PhpFpm::start_with(lines).await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("index.php");
    let index = php("item/index.php");
    std::fs::write(&script, format!("\n<?php require '{}';", index.display())).unwrap();
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
    let client = Client::connect(proxy.address).await;
    let path = "/item.ItemService/ListItems";
    assert_eq!(client.call_method(path, b"", &[]).await.status(), FAILED);
    // What a resident worker prints reaches no call.
    let resident = ["--resident-workers", "1"];
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &resident).await;
    let client = Client::connect(proxy.address).await;
    let response = client.call_method(path, b"", &[]).await;
    assert_eq!(response.status(), (Code::Ok, ""));
}

#[tokio::test]
async fn a_required_status_may_be_the_http_status() {
    let flag = ["--require-status"];
    let (_php_fpm, _proxy, client) = serve_fixture("http_status.php", &flag).await;
    let response = client.call(b"", &[("x-http-status", "403")]).await;
    assert_eq!(response.status().0, Code::PermissionDenied);
    let response = client.call(b"", &[("x-http-status", "200")]).await;
    assert_eq!(response.status(), NO_STATUS);
    let (_php_fpm, _proxy, client) = serve_fixture("status.php", &flag).await;
    let response = client.call(b"", &[("x-status", "0")]).await;
    assert_eq!(response.status(), (Code::Ok, ""));
}
