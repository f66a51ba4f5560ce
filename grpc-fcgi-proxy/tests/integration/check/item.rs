//! The pool of the item application, with the flags that Kubernetes gives the proxy in front of it.

use std::fs;

use tokio::process::Command;

use super::{Findings, open_folder};
use crate::support::{PhpFpm, php};

const MANIFEST: &str = "../deploy/kubernetes/base/item.yaml";

/// The arguments of the proxy's container, with the paths and addresses of this test.
fn arguments(places: &[(&str, String)]) -> Vec<String> {
    let manifest = fs::read_to_string(MANIFEST).unwrap();
    let (_, container) = manifest.split_once("name: grpc-fcgi-proxy\n").unwrap();
    let (_, list) = container.split_once("args:\n").unwrap();
    let (list, _) = list.split_once("ports:\n").unwrap();
    let lines = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "));
    let mut arguments: Vec<String> = lines.map(str::to_owned).collect();
    for (place, own) in places {
        let mut found = false;
        for argument in &mut arguments {
            found |= argument.contains(place);
            *argument = argument.replace(place, own);
        }
        assert!(found, "no {place} in {arguments:?}");
    }
    arguments
}

#[tokio::test]
async fn the_item_application_passes_with_the_flags_of_its_manifest() {
    let (php_fpm, folder) = (PhpFpm::start_item().await, open_folder());
    let arguments = arguments(&[
        ("tcp://127.0.0.1:9000", php_fpm.url()),
        ("tcp://127.0.0.1:9001", php_fpm.status_url()),
        ("/run/grpc-fcgi-proxy", folder.path().display().to_string()),
        ("/app", php(".").display().to_string()),
    ]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    command.arg("check").args(arguments);
    let findings = Findings::of(command).await;
    let all_ok = findings.text.lines().all(|line| line.starts_with("ok "));
    assert!(findings.passed && all_ok, "{}", findings.text);
    findings.expect("ok", "resident worker of /", "connects to unix:///");
    findings.expect("ok", "request_terminate_timeout", "off");
    findings.expect("ok", "process_control_timeout", "20 s");
    let words = "enough for --resident-workers (4 in all) and --max-exchanges (3)";
    findings.expect("ok", "workers", words);
    findings.expect("ok", "auxiliary path /ping", "HTTP status 200");
}
