//! The command `check`, run against a real php-fpm that has each of the problems it reports.

mod item;
mod names;
mod pool;
mod resident;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::{Authority, Client, PhpFpm, Proxy, descriptors, php};

/// The user nobody.
const NOBODY: u32 = 65534;

/// The output of `check`, and whether it passed: without a finding of level error.
struct Findings {
    passed: bool,
    text: String,
}

impl Findings {
    async fn of(mut command: Command) -> Self {
        let output = command.env_remove("RUST_LOG").output().await.unwrap();
        let code = output.status.code().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(code < 2 && log.is_empty(), "{code}: {log}");
        assert_eq!(
            code == 1,
            text.lines().any(|line| line.starts_with("error "))
        );
        Self {
            passed: code == 0,
            text,
        }
    }

    /// Requires a line of this level about `subject` that contains `words`.
    fn expect(&self, level: &str, subject: &str, words: &str) {
        let begin = format!("{level:<8} {subject}");
        let mut lines = self.text.lines().filter(|line| line.starts_with(&begin));
        let found = lines.any(|line| line.contains(words));
        assert!(found, "no {begin} with {words} in\n{}", self.text);
    }
}

async fn check(url: &str, flags: &[&str], script: &Path) -> Findings {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    command.args(["check", "--fastcgi", url, "--max-exchanges", "2"]);
    command.args(flags).arg(script);
    Findings::of(command).await
}

async fn check_fixture(php_fpm: &PhpFpm, flags: &[&str], fixture: &str) -> Findings {
    check(&php_fpm.url(), flags, &php("fixtures").join(fixture)).await
}

async fn check_pool(lines: &str) -> Findings {
    let php_fpm = PhpFpm::start_with(&format!("pm.max_children = 2\n{lines}\n")).await;
    check_fixture(&php_fpm, &[], "http_status.php").await
}

#[tokio::test]
async fn without_problems_every_line_is_ok() {
    let php_fpm = PhpFpm::start().await;
    let set = php("generated/descriptor-set.binpb").display().to_string();
    let healthz = format!("/healthz={}", php("item/healthz.php").display());
    let authority = Authority::new();
    let pair = authority.sign("localhost");
    let flags = [
        "--descriptor-set",
        &set,
        "--aux-path",
        &healthz,
        "--ping-path",
        "/ping",
        "--status-path",
        "/status",
        "--tls-cert",
        pair.certificate_file.to_str().unwrap(),
        "--tls-key",
        pair.key_file.to_str().unwrap(),
    ];
    let findings = check(&php_fpm.url(), &flags, &php("item/index.php")).await;
    let all_ok = findings.text.lines().all(|line| line.starts_with("ok "));
    assert!(findings.passed && all_ok, "{}", findings.text);
    findings.expect("ok", "descriptor set", "item.ItemService");
    findings.expect("ok", "reflection", "every file that they import");
    findings.expect("ok", "TLS certificate", "usable");
    findings.expect("ok", "php-fpm at unix:///", "speaks FastCGI");
    findings.expect("ok", "ping page /ping", "php-fpm answers it");
    findings.expect("ok", "PHP's log", "reaches the proxy");
    findings.expect("ok", "display_errors", "off");
    findings.expect("ok", "post_max_size", "8388608 bytes");
    findings.expect("ok", "zlib.output_compression", "off");
    findings.expect(
        "ok",
        "script /",
        "runs, and answers an unknown method with Unimplemented",
    );
    findings.expect("ok", "auxiliary path /healthz", "HTTP status 200");
    findings.expect("ok", "workers", "enough for --max-exchanges (2)");
    findings.expect("ok", "status page unix:///", "pool test has 2 workers now");
    findings.expect("ok", "file descriptors", "the flags need up to ");
}

#[tokio::test]
async fn too_few_file_descriptors_are_reported() {
    let php_fpm = PhpFpm::start().await;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 1024 && exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    command.args(["check", "--fastcgi", &php_fpm.url(), "--max-exchanges", "2"]);
    command.arg(php("fixtures/http_status.php"));
    let findings = Findings::of(command).await;
    let words = "but the limit is 1024, so only ";
    findings.expect("warning", "file descriptors", words);
}

#[tokio::test]
async fn unusable_files_are_reported() {
    let php_fpm = PhpFpm::start().await;
    let file = php("fixtures/echo.php").display().to_string();
    let flags = [
        "--descriptor-set",
        "/none.binpb",
        "--descriptor-set",
        &file,
        "--tls-cert",
        &file,
        "--tls-key",
        &file,
    ];
    let findings = check_fixture(&php_fpm, &flags, "http_status.php").await;
    assert!(!findings.passed);
    findings.expect("error", "descriptor set /none.binpb", "No such file");
    findings.expect(
        "error",
        &format!("descriptor set {file}"),
        "is not a FileDescriptorSet",
    );
    findings.expect("error", "TLS certificate", "contains no private key");
    let authority = Authority::new();
    let expired = authority.sign_with("expired", |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let findings = check_fixture(&php_fpm, &expired.flags(), "http_status.php").await;
    findings.expect("error", "TLS certificate", "expired on 2020-01-01");
}

#[tokio::test]
async fn a_descriptor_set_without_its_imports_is_reported_where_they_are_needed() {
    let php_fpm = PhpFpm::start().await;
    let set = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(set.path(), descriptors::test_service()).unwrap();
    let flags = [
        "--connect",
        "--descriptor-set",
        set.path().to_str().unwrap(),
    ];
    let findings = check_fixture(&php_fpm, &flags, "echo.php").await;
    findings.expect("error", "JSON", "protoc --include_imports");
}

#[tokio::test]
async fn an_unreachable_php_fpm_is_reported() {
    let mut php_fpm = PhpFpm::start_on_tcp().await;
    let url = php_fpm.url();
    php_fpm.stop().await;
    let findings = check(&url, &[], Path::new("/app/index.php")).await;
    findings.expect(
        "error",
        &format!("php-fpm at {url}"),
        "nothing listens on the address",
    );
    assert_eq!(findings.text.lines().count(), 2, "{}", findings.text);

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("fpm.sock");
    let url = format!("unix://{}", socket.display());
    let findings = check(&url, &[], Path::new("/app/index.php")).await;
    findings.expect("error", "php-fpm at", "the socket does not exist");
    // A php-fpm that is killed leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let findings = check(&url, &[], Path::new("/app/index.php")).await;
    findings.expect("error", "php-fpm at", "nothing listens on the socket");
}

#[tokio::test]
async fn a_socket_without_permission_is_reported() {
    let php_fpm = PhpFpm::start().await;
    let url = php_fpm.url();
    fs::set_permissions(
        url.trim_start_matches("unix://"),
        Permissions::from_mode(0o000),
    )
    .unwrap();
    let folder = open_folder();
    let program = folder.path().join("grpc-fcgi-proxy");
    fs::copy(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["check", "--fastcgi", &url, "/app/index.php"]);
    if nix::unistd::getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let findings = Findings::of(command).await;
    findings.expect(
        "error",
        "php-fpm at",
        "this user may not connect to the socket",
    );
}

/// A folder that every user may enter.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

#[tokio::test]
async fn a_server_of_another_protocol_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let web_server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let findings = check(&url, &[], Path::new("/app/index.php")).await;
    findings.expect("error", "php-fpm at", "does not speak FastCGI");
    web_server.abort();
}

#[tokio::test]
async fn a_client_that_the_pool_does_not_allow_is_reported() {
    let lines = "pm.max_children = 2\nlisten.allowed_clients = 192.0.2.1\n";
    let php_fpm = PhpFpm::start_on_tcp_with(lines).await;
    let findings = check_fixture(&php_fpm, &[], "echo.php").await;
    findings.expect("error", "php-fpm at", "listen.allowed_clients");
}

#[tokio::test]
async fn a_busy_php_fpm_is_reported() {
    let php_fpm = PhpFpm::start().await;
    let script = php("fixtures/sleep.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
    let client = Client::connect(proxy.address).await;
    for _ in 0..2 {
        let client = client.clone();
        tokio::spawn(async move { client.call(b"", &[("x-seconds", "60")]).await });
    }
    proxy.metric_becomes("fcgi_exchanges_running", 2.0).await;
    let findings = check_fixture(&php_fpm, &[], "echo.php").await;
    findings.expect("error", "php-fpm at", "all workers are busy");
}

#[tokio::test]
async fn missing_pages_are_reported() {
    let php_fpm = PhpFpm::start().await;
    let flags = ["--ping-path", "/up", "--status-path", "/state"];
    let findings = check_fixture(&php_fpm, &flags, "http_status.php").await;
    findings.expect("error", "ping page /up", "set the pool's ping.path to /up");
    findings.expect(
        "error",
        "status page unix",
        "set the pool's pm.status_path to /state",
    );
    let flags = [
        "--status-path",
        "/status",
        "--status-fastcgi",
        "unix:///no.sock",
    ];
    let findings = check_fixture(&php_fpm, &flags, "http_status.php").await;
    findings.expect(
        "error",
        "status page unix:///no.sock;/status",
        "the socket does not exist",
    );
}

#[tokio::test]
async fn scripts_that_php_fpm_refuses_are_reported() {
    let folder = open_folder();
    let secret = folder.path().join("secret.php");
    fs::write(&secret, "<?php").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    let text = folder.path().join("script.txt");
    fs::write(&text, "<?php").unwrap();
    // root can read every file.
    let lines = match nix::unistd::getuid().is_root() {
        true => "pm.max_children = 2\nuser = nobody\ngroup = nogroup\n",
        false => "pm.max_children = 2\n",
    };
    let php_fpm = PhpFpm::start_with(lines).await;
    let route = format!("shop.v1.*={}", secret.display());
    let aux_path = format!("/text={}", text.display());
    let flags = [
        "--route",
        &route,
        "--aux-path",
        &aux_path,
        "--aux-path",
        "/none",
    ];
    let findings = check(&php_fpm.url(), &flags, &folder.path().join("none.php")).await;
    let subject = |file: &Path| format!("script {}", file.display());
    let unknown = "php-fpm does not find the file (\"Primary script unknown\")";
    findings.expect("error", &subject(&folder.path().join("none.php")), unknown);
    findings.expect("error", &subject(&secret), "let php-fpm's user read it");
    findings.expect("error", "auxiliary path /text", "security.limit_extensions");
    findings.expect("error", "auxiliary path /none", unknown);
    let findings = check(&php_fpm.url(), &[], folder.path()).await;
    findings.expect("error", "script", "security.limit_extensions");
}

#[tokio::test]
async fn scripts_that_fail_or_ignore_the_method_are_reported() {
    let php_fpm = PhpFpm::start().await;
    let route = format!("a.B={}", php("fixtures/echo.php").display());
    let findings = check_fixture(&php_fpm, &["--route", &route], "fatal.php").await;
    findings.expect("error", "script", "fails: PHP Fatal error:  Uncaught");
    let subject = format!("script {}", php("fixtures/echo.php").display());
    findings.expect(
        "warning",
        &subject,
        "let it compare GRPC_SERVICE and GRPC_METHOD",
    );
}

#[tokio::test]
async fn scripts_whose_failure_would_pass_for_ok_are_reported() {
    let php_fpm = PhpFpm::start().await;
    let subject = format!("script {}", php("fixtures/echo.php").display());
    let findings = check_fixture(&php_fpm, &[], "echo.php").await;
    findings.expect("warning", &subject, "sends no Grpc-Status");
    assert!(findings.passed);
    let findings = check_fixture(&php_fpm, &["--require-status"], "echo.php").await;
    findings.expect("error", &subject, "which --require-status demands");
}

#[tokio::test]
async fn output_in_front_of_a_message_is_reported() {
    let lines = "pm.max_children = 2\nphp_admin_value[output_buffering] = 4096\n";
    let php_fpm = PhpFpm::start_with(lines).await;
    let folder = open_folder();
    let script = folder.path().join("script.php");
    for output in ["\u{feff}", "\n"] {
        fs::write(&script, format!("{output}<?php header('Grpc-Status: 12');")).unwrap();
        let findings = check(&php_fpm.url(), &[], &script).await;
        findings.expect("warning", "script", "a byte order mark or white space");
    }
}

#[tokio::test]
async fn display_errors_is_detected_under_any_other_settings() {
    let findings = check_pool("php_admin_flag[display_errors] = off").await;
    findings.expect("ok", "display_errors", "off");
    let on = "php_admin_flag[display_errors] = on";
    for more in [
        "php_admin_flag[display_startup_errors] = off",
        "php_admin_flag[display_startup_errors] = on",
        "php_admin_flag[enable_post_data_reading] = off",
        "php_admin_flag[log_errors] = off\nphp_admin_flag[display_startup_errors] = on",
    ] {
        let findings = check_pool(&format!("{on}\n{more}")).await;
        findings.expect(
            "error",
            "display_errors",
            "php_admin_flag[display_errors] = off",
        );
    }
}

#[tokio::test]
async fn every_php_fpm_is_checked() {
    let (first, second) = tokio::join!(PhpFpm::start(), PhpFpm::start());
    let urls = format!("{},{}", first.url(), second.url());
    let script = php("fixtures/http_status.php");
    let findings = check(&urls, &[], &script).await;
    for php_fpm in [first, second] {
        findings.expect("ok", &format!("php-fpm at {}", php_fpm.url()), "FastCGI");
    }
    let workers = findings
        .text
        .lines()
        .filter(|line| line.starts_with("ok       workers"));
    assert_eq!(workers.count(), 2);
}
