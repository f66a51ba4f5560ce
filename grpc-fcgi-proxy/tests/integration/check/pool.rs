//! Problems in the settings of a php-fpm pool.

use tokio::process::Command;

use super::{Findings, check, check_fixture, check_pool, open_folder};
use crate::support::{Client, PhpFpm, Proxy, php};

#[tokio::test]
async fn a_log_outside_of_fastcgi_is_reported() {
    let folder = open_folder();
    let file = folder.path().join("php.log");
    let lines = format!("php_admin_value[error_log] = {}", file.display());
    let findings = check_pool(&lines).await;
    findings.expect("warning", "PHP's log", "leave error_log unset");
    findings.expect(
        "warning",
        "display_errors",
        "unknown, since PHP's log does not reach the proxy",
    );
    findings.expect(
        "warning",
        "post_max_size",
        "unknown, since PHP's log does not reach the proxy",
    );
}

#[tokio::test]
async fn post_max_size_is_reported_and_limits_no_message() {
    let lines = "pm.max_children = 2\nphp_admin_value[post_max_size] = 1K\n";
    let php_fpm = PhpFpm::start_with(lines).await;
    let findings = check_fixture(&php_fpm, &[], "http_status.php").await;
    let words = "1024 bytes, but --max-receive-message-size is 4194304, so PHP logs a warning";
    findings.expect("warning", "post_max_size", words);
    // As the finding states, the script reads the message whole, and PHP logs a warning.
    let script = php("fixtures/echo.php");
    let mut proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
    let client = Client::connect(proxy.address).await;
    let message = vec![b'm'; 100_000];
    assert_eq!(client.call(&message, &[]).await.content(), message);
    let record = proxy
        .logged(|record| record["target"] == "application")
        .await;
    let warning = record["message"].as_str().unwrap();
    assert!(
        warning.contains("exceeds the limit of 1024 bytes"),
        "{warning}"
    );

    for lines in [
        "php_admin_value[post_max_size] = 0",
        "php_admin_flag[enable_post_data_reading] = off",
    ] {
        let findings = check_pool(lines).await;
        findings.expect("ok", "post_max_size", "PHP does not apply it");
    }
}

#[tokio::test]
async fn compressed_output_is_reported() {
    let lines = "pm.max_children = 2\nphp_admin_flag[zlib.output_compression] = on\n";
    let php_fpm = PhpFpm::start_with(lines).await;
    let findings = check_fixture(&php_fpm, &[], "echo.php").await;
    let remedy = "php_admin_flag[zlib.output_compression] = off";
    findings.expect("warning", "zlib.output_compression", remedy);
    findings.expect("warning", "script", "compresses its output");
    // The other checks read the compressed answers too.
    findings.expect("ok", "display_errors", "off");
    let findings = check_fixture(&php_fpm, &[], "none.php").await;
    findings.expect("error", "script", "php-fpm does not find the file");

    let php_fpm = PhpFpm::start().await;
    let folder = open_folder();
    let script = folder.path().join("script.php");
    let text = "<?php ob_start('ob_gzhandler'); header('Grpc-Status: 12');";
    std::fs::write(&script, text).unwrap();
    let findings = check(&php_fpm.url(), &[], &script).await;
    findings.expect("warning", "script", "use no ob_gzhandler");
    findings.expect("ok", "zlib.output_compression", "off");
}

#[tokio::test]
async fn a_pool_that_is_too_small_is_reported() {
    let php_fpm = PhpFpm::start().await;
    let flags = ["--max-exchanges", "3"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    command
        .args(["check", "--fastcgi", &php_fpm.url()])
        .args(flags);
    command.arg(php("fixtures/http_status.php"));
    let findings = Findings::of(command).await;
    assert!(!findings.passed);
    findings.expect(
        "error",
        "workers",
        "php-fpm runs only 2 requests at once, too few for --max-exchanges (3)",
    );
}

#[tokio::test]
async fn a_count_that_fails_is_only_a_warning() {
    let php_fpm = PhpFpm::start_with("pm.max_children = 20\n").await;
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_grpc-fcgi-proxy");
    command.args(["-c", "ulimit -n 16 && exec \"$@\"", "sh", program, "check"]);
    command.args(["--fastcgi", &php_fpm.url(), "--max-exchanges", "20"]);
    command.arg(php("fixtures/http_status.php"));
    let findings = Findings::of(command).await;
    findings.expect("warning", "workers", "Too many open files");
}

#[tokio::test]
async fn a_pool_that_grows_is_large_enough() {
    for lines in [
        "pm = ondemand",
        "pm = dynamic\npm.start_servers = 1\npm.min_spare_servers = 1\npm.max_spare_servers = 1",
    ] {
        let findings = check_pool(lines).await;
        findings.expect("ok", "workers", "enough for --max-exchanges (2)");
    }
}
