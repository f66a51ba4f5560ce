//! Problems that keep resident workers from booting, connecting or living.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::{Findings, check, open_folder};
use crate::support::{PhpFpm, Proxy, php};

/// A pool with enough workers, which lets them live and end.
const GOOD: &str = "pm.max_children = 3\n[global]\nprocess_control_timeout = 10s\n[test]\n";
const FLAGS: [&str; 2] = ["--resident-workers", "2"];
const WORKER: &str = "resident worker of /";

async fn check_kit(pool: &str, flags: &[&str]) -> Findings {
    let php_fpm = PhpFpm::start_with(pool).await;
    let script = php("fixtures/resident.php");
    check(&php_fpm.url(), &[&FLAGS, flags].concat(), &script).await
}

/// A script that runs `code` before it becomes a resident worker. A call by itself it answers like the kit.
fn script(folder: &TempDir, code: &str) -> std::path::PathBuf {
    let file = folder.path().join("script.php");
    let text = format!(
        "<?php if (isset($_SERVER['GRPC_RESIDENT_ADDRESS'])) {{ {code} }} require '{}';",
        php("fixtures/resident.php").display()
    );
    fs::write(&file, text).unwrap();
    file
}

async fn check_script(code: &str, flags: &[&str]) -> Findings {
    let (php_fpm, folder) = (PhpFpm::start_with(GOOD).await, open_folder());
    let script = script(&folder, code);
    check(&php_fpm.url(), &[&FLAGS, flags].concat(), &script).await
}

#[tokio::test]
async fn workers_that_boot_and_live_are_ok() {
    let findings = check_kit(GOOD, &[]).await;
    let all_ok = findings.text.lines().all(|line| line.starts_with("ok "));
    assert!(findings.passed && all_ok, "{}", findings.text);
    findings.expect("ok", WORKER, "ms, and connects to unix:///");
    findings.expect("ok", "request_terminate_timeout", "off");
    findings.expect("ok", "process_control_timeout", "10 s");
    let words = "enough for --resident-workers (2 in all) and 1 for their successors";
    findings.expect("ok", "workers", words);
}

#[tokio::test]
async fn workers_over_tcp_need_an_address_that_php_fpm_can_see() {
    let any = ["--resident-address", "tcp://0.0.0.0:0"];
    let php_fpm = PhpFpm::start_on_tcp_with(GOOD).await;
    let script = php("fixtures/resident.php");
    let findings = check(&php_fpm.url(), &[FLAGS, any].concat(), &script).await;
    findings.expect("ok", WORKER, "connects to tcp://127.0.0.1:");
    let findings = check_kit(GOOD, &any).await;
    let words = "php-fpm listens on a Unix socket: set a host";
    findings.expect("error", "address for resident workers", words);
}

#[tokio::test]
async fn workers_in_a_pool_of_their_own_are_checked_there() {
    let (calls, own) = tokio::join!(PhpFpm::start(), PhpFpm::start());
    let flags = ["--resident-fastcgi", &own.url()];
    let script = php("fixtures/resident.php");
    let findings = check(&calls.url(), &[FLAGS, flags].concat(), &script).await;
    assert!(findings.passed, "{}", findings.text);
    for php_fpm in [&calls, &own] {
        findings.expect("ok", &format!("php-fpm at {}", php_fpm.url()), "FastCGI");
    }
    assert_eq!(
        findings.text.matches(WORKER).count(),
        1,
        "{}",
        findings.text
    );
    findings.expect("ok", "workers", "enough for --max-exchanges (2)");
    let words = "php-fpm runs only 2 requests at once, too few for --resident-workers (2 in all)";
    findings.expect("warning", "workers", words);
}

#[tokio::test]
async fn a_pool_that_is_too_small_for_the_workers_is_reported() {
    let findings = check_kit("pm.max_children = 1\n", &[]).await;
    let words = "only 1 request at once, too few for --resident-workers (2 in all) and 1 for their successors and \
                 php-fpm's pages: lower --resident-workers, or raise the pool's pm.max_children to 3";
    findings.expect("error", "workers", words);
    // Calls by themselves need workers too.
    let exclude = ["--resident-exclude", "test.Service/Method"];
    let findings = check_kit(GOOD, &exclude).await;
    let words = "too few for --resident-workers (2 in all) and --max-exchanges (2)";
    findings.expect("error", "workers", words);
}

#[tokio::test]
async fn settings_that_kill_workers_are_reported() {
    let pool = "pm.max_children = 3\nrequest_terminate_timeout = 1m\n";
    let findings = check_kit(pool, &[]).await;
    let life = "request_terminate_timeout";
    findings.expect("error", life, "60 s, so php-fpm kills each resident worker");
    let words = "0, so a reload or stop of php-fpm kills the resident workers";
    findings.expect("warning", "process_control_timeout", words);
    let pool_of_calls = format!("{GOOD}php_admin_value[max_execution_time] = 30\n");
    let findings = check_kit(&pool_of_calls, &[]).await;
    let words = "30 s by php_admin_value, so PHP ends each resident worker";
    findings.expect("error", "max_execution_time", words);
    let findings = check_kit(pool, &["--resident-max-age", "50s"]).await;
    findings.expect("warning", life, "60 s: longer than --resident-max-age");
}

#[tokio::test]
async fn a_disabled_function_is_reported() {
    let pool = format!("{GOOD}php_admin_value[disable_functions] = stream_socket_client\n");
    let findings = check_kit(&pool, &[]).await;
    let words = "needs the function stream_socket_client: remove it from disable_functions";
    findings.expect("error", WORKER, words);
}

#[tokio::test]
async fn a_socket_that_php_fpm_may_not_connect_to_is_reported() {
    let (outer, closed) = (open_folder(), tempfile::tempdir().unwrap());
    let only_own = Permissions::from_mode(0o700);
    fs::set_permissions(closed.path(), only_own.clone()).unwrap();
    let pool = match nix::unistd::getuid().is_root() {
        true => format!("{GOOD}user = nobody\ngroup = nogroup\n"),
        false => GOOD.to_owned(),
    };
    let php_fpm = PhpFpm::start_with(&pool).await;
    // php-fpm with the user of this test closes the folder itself.
    let code = "@chmod(dirname(substr($_SERVER['GRPC_RESIDENT_ADDRESS'], 7)), 0);";
    let address = format!("unix://{}/workers.sock", closed.path().display());
    let flags = [FLAGS, ["--resident-address", &address]].concat();
    let findings = check(&php_fpm.url(), &flags, &script(&outer, code)).await;
    fs::set_permissions(closed.path(), only_own).unwrap();
    findings.expect(
        "error",
        WORKER,
        "let php-fpm's user enter the folders above",
    );
}

#[tokio::test]
async fn a_socket_that_php_fpm_does_not_see_is_reported() {
    let code = "unlink(substr($_SERVER['GRPC_RESIDENT_ADDRESS'], 7));";
    let findings = check_script(code, &[]).await;
    findings.expect(
        "error",
        WORKER,
        "php-fpm's files are others than the proxy's",
    );
}

/// Only root can run php-fpm in a chroot.
#[tokio::test]
async fn a_chroot_without_the_socket_is_reported() {
    if !nix::unistd::getuid().is_root() {
        return;
    }
    let (root, script) = (open_folder(), php("fixtures/resident.php"));
    let kit = ["src", "autoload.php"].map(|part| php("grpc-server").join(part));
    let mut copy = std::process::Command::new("cp");
    copy.args(["--recursive", "--parents"]);
    copy.args(kit).arg(&script);
    copy.args(["/usr/share/php/Google", "/usr/share/php/GPBMetadata"]);
    assert!(copy.arg(root.path()).status().unwrap().success());
    let pool = format!(
        "{GOOD}user = nobody\ngroup = nogroup\nchroot = {}\n",
        root.path().display()
    );
    let php_fpm = PhpFpm::start_with(&pool).await;
    let findings = check(&php_fpm.url(), &FLAGS, &script).await;
    let words = "php-fpm's files are others than the proxy's (another container, a chroot";
    findings.expect("error", WORKER, words);
}

#[tokio::test]
async fn a_script_that_fails_at_boot_is_reported_with_its_error() {
    let findings = check_script("throw new Exception('no database');", &[]).await;
    let words = "fails at boot: PHP Fatal error:  Uncaught Exception: no database";
    findings.expect("error", WORKER, words);
    let findings = check_script("posix_kill(getmypid(), 9);", &[]).await;
    findings.expect("error", WORKER, "look for the reason in php-fpm's log");
}

#[tokio::test]
async fn a_script_that_never_connects_is_reported() {
    let code = "error_log('what it logs'); echo 'what it prints'; exit;";
    let findings = check_script(code, &[]).await;
    let words =
        "ends without connecting to the proxy: let it call run() of php/grpc-server's RpcServer";
    findings.expect("error", WORKER, words);
    findings.expect("error", WORKER, "it logs \"PHP message: what it logs\"");
    findings.expect("error", WORKER, "it prints \"what it prints\"");
    let boot = ["--resident-boot-timeout", "500ms"];
    let findings = check_script(
        "while (!connection_aborted()) { usleep(1000); echo ' '; flush(); }",
        &boot,
    )
    .await;
    findings.expect(
        "error",
        WORKER,
        "within 500ms: raise --resident-boot-timeout",
    );
    let findings = check(
        &PhpFpm::start_with(GOOD).await.url(),
        &FLAGS,
        Path::new("/none.php"),
    )
    .await;
    findings.expect("error", WORKER, "php-fpm does not find the file");
}

#[tokio::test]
async fn an_address_that_cannot_be_bound_is_reported() {
    let subject = "address for resident workers";
    let findings = check_kit(GOOD, &["--resident-address", "unix:///none/workers.sock"]).await;
    findings.expect(
        "error",
        subject,
        "cannot listen at unix:///none/workers.sock",
    );
    let (php_fpm, folder) = (
        PhpFpm::start_with("pm.max_children = 6\n").await,
        open_folder(),
    );
    let address = format!("unix://{}/workers.sock", folder.path().display());
    let flags = [FLAGS, ["--resident-address", &address]].concat();
    let script = php("fixtures/resident.php");
    let _proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let findings = check(&php_fpm.url(), &flags, &script).await;
    findings.expect("warning", subject, "is in use, so no worker was booted");
}
