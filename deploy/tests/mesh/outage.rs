//! Programs that end and are started again.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::time::Instant;

use crate::load::under_load;
use crate::pods::{self, ITEM_PROGRAMS, address, curl, index_url, report, until};

/// Until a pod passes its health check and callers use it again.
const RECOVERY: Duration = Duration::from_secs(10);

fn is_healthy(pod: &str) -> bool {
    curl(&format!("http://{}:6060/healthz", address(pod)), &[]).0 == 200
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn one_item_pod_of_two_killed_fails_no_report() {
    let expected = report();
    let outcome = under_load(&expected, || {
        std::thread::sleep(Duration::from_secs(2));
        for program in ITEM_PROGRAMS {
            pods::end("item-2", program, Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_secs(5));
        for program in ITEM_PROGRAMS {
            pods::start("item-2", program);
        }
        std::thread::sleep(Duration::from_secs(3));
    });
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    assert!(outcome.correct > 20, "the load was too low: {outcome:?}");
    until("item-2 is healthy again", || is_healthy("item-2"));
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn without_php_fpm_the_report_is_503_and_recovers() {
    let expected = report();
    for pod in ["item-1", "item-2"] {
        pods::end(pod, "php-fpm", Signal::SIGQUIT);
    }
    for _ in 0..3 {
        let start = Instant::now();
        let (status, body) = curl(&index_url(), &[]);
        assert_eq!(status, 503, "{body}");
        assert!(
            start.elapsed() < Duration::from_secs(6),
            "the frontend's timeout is 5 s"
        );
        let error: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&error["error"]["peer"], &error["error"]["code"]),
            (&"order".into(), &"UNAVAILABLE".into())
        );
    }
    for pod in ["item-1", "item-2"] {
        pods::start(pod, "php-fpm");
    }
    let recovery = until("the report recovers", || curl(&index_url(), &[]).0 == 200);
    assert!(recovery < RECOVERY, "{recovery:?}");
    assert_eq!(report(), expected);
}
