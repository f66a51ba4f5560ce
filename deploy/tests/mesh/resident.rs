//! Resident workers of the item pods: reloads, the death of one, and a database that is replaced.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::load::under_load;
use crate::metrics::sum;
use crate::pods::{POD_USER, curl, index_url, report, signal, state, until};
use crate::report::FIRST_ITEM;

const POD: &str = "item-1";
/// As `script/run` starts them.
const WORKERS: f64 = 4.0;
/// Until workers are replaced: calls take milliseconds. A worker that does not end is killed later, after 20 s
/// (`process_control_timeout`).
const MOST: Duration = Duration::from_secs(10);

fn boots() -> f64 {
    sum(POD, "resident_boots_total", &[r#"outcome="ready""#])
}

/// Calls of item that the pod has not answered with OK.
fn failures() -> f64 {
    let of_item = r#"grpc_service="item.ItemService""#;
    let handled = |label| sum(POD, "grpc_server_handled_total", &[of_item, label]);
    handled("") - handled(r#"grpc_code="OK""#)
}

/// Waits until that many more workers have booted, and the pod has all of its workers.
fn until_booted(what: &str, before: f64, more: f64) {
    let ready = || sum(POD, "resident_workers", &[r#"state="ready""#]);
    let time = until(what, || boots() >= before + more && ready() >= WORKERS);
    assert!(time < MOST, "{what}: {time:?}");
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn a_reload_of_php_fpm_or_of_the_proxy_fails_no_call() {
    let (expected, failed) = (report(), failures());
    let outcome = under_load(&expected, || {
        for (program, with) in [
            ("php-fpm", Signal::SIGUSR2),
            ("grpc-fcgi-proxy", Signal::SIGHUP),
        ] {
            let before = boots();
            signal(POD, program, with);
            until_booted(program, before, WORKERS);
        }
    });
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    assert!(outcome.correct > 0, "no load");
    // The Envoy of order would have called the other pod.
    assert_eq!(failures(), failed);
}

/// The process id of a worker that is ready.
fn worker() -> Pid {
    let log = fs::read_to_string(state(&format!("pods/{POD}/grpc-fcgi-proxy.log"))).unwrap();
    let records = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut ready =
        records.filter(|record: &Value| record["message"] == "a resident worker is ready");
    let pid = ready.next_back().unwrap()["pid"].as_i64().unwrap();
    Pid::from_raw(pid.try_into().unwrap())
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn a_worker_that_is_killed_takes_only_its_own_calls_with_it() {
    let (expected, before) = (report(), boots());
    let outcome = under_load(&expected, || {
        kill(worker(), Signal::SIGKILL).unwrap();
        until_booted("another worker", before, 1.0);
    });
    // A call of each caller may have been in that worker.
    assert!(outcome.failed.len() <= 3, "{:?}", outcome.failed);
    assert_eq!(report(), expected);
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn workers_find_a_database_that_is_replaced_or_removed() {
    let expected = report();
    let (file, new) = (state("data/item.sqlite"), state("data/item.new"));
    fs::copy(&file, &new).unwrap();
    let rename = "(new PDO('sqlite:' . $argv[1]))->prepare('UPDATE item SET name = ? WHERE id = ?')->execute([$argv[2], $argv[3]]);";
    let mut php = Command::new("php");
    php.args(["-r", rename, "--"]).arg(&new);
    let status = php.args(["another name", FIRST_ITEM]).status();
    assert!(status.unwrap().success());
    chown(&new, Some(POD_USER), Some(POD_USER)).unwrap();
    fs::rename(&new, &file).unwrap();
    let another = || curl(&index_url(), &[]).1.contains("another name");
    until("the new database", another);
    fs::remove_file(&file).unwrap();
    // It is created again, with sample data.
    until("a database", || {
        let (status, body) = curl(&index_url(), &[]);
        status == 200 && serde_json::from_str::<Value>(&body).unwrap() == expected
    });
}
