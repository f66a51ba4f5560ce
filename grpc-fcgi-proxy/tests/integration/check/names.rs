//! Names of several addresses, and of none.

use super::Findings;
use crate::support::{Hosts, PhpFpm, php};

async fn check(hosts: &Hosts, url: &str) -> Findings {
    let mut command = hosts.program();
    command.args(["check", "--max-exchanges", "2", "--status-path", "/status"]);
    command.args(["--fastcgi", url]);
    command.arg(php("fixtures/http_status.php"));
    Findings::of(command).await
}

#[tokio::test]
async fn an_unreachable_address_is_a_warning_if_the_name_has_another() {
    let php_fpm = PhpFpm::start_on_tcp().await;
    let url = php_fpm.url();
    let (_, port) = url.rsplit_once(':').unwrap();
    let hosts = Hosts::new("fpm", &["127.0.0.1", "127.0.0.2"]);
    let findings = check(&hosts, &format!("tcp://fpm:{port}")).await;
    let other = format!("tcp://127.0.0.2:{port}");
    findings.expect("ok", &format!("php-fpm at {url}"), "speaks FastCGI");
    let unreachable = "nothing listens on the address";
    findings.expect("warning", &format!("php-fpm at {other}"), unreachable);
    findings.expect("ok", &format!("status page {url}"), "pool test");
    findings.expect("warning", &format!("status page {other}"), unreachable);
}

#[tokio::test]
async fn a_name_without_an_address_is_reported() {
    let hosts = Hosts::new("fpm", &["127.0.0.1"]);
    let findings = check(&hosts, "tcp://other:9000").await;
    let subject = "php-fpm at tcp://other:9000";
    findings.expect("error", subject, "the name has no address");
    assert!(!findings.passed);
}
