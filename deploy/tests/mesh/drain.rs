//! A pod that drains: its Envoy asks callers to use other pods, and its own program goes on calling other apps.

use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::pods::{curl_with, inside};

const POD: &str = "frontend-1";
/// One caller alone sees nothing: it never calls on a connection that another call has made Envoy close.
const CALLERS: usize = 8;
const TURNS: u32 = 3;
/// A turn: this long Envoy drains, and then this long it does not.
const DRAINING: Duration = Duration::from_secs(3);
const MENDED: Duration = Duration::from_secs(1);

/// What `preStop` posts to Envoy in deploy/kubernetes/base/pod.yaml, and what undoes it.
fn post(path: &str) {
    let url = format!("http://127.0.0.1:8001/healthcheck/{path}");
    let (status, body) = curl_with(&["--request", "POST"], &url);
    assert_eq!(status, 200, "{body}");
}

/// Leaves the pod as it was, even if the test fails.
struct Mended;

impl Drop for Mended {
    fn drop(&mut self) {
        post("ok");
    }
}

/// Requests the report from the pod's own program, one by one, until then.
fn request_until(end: Instant) -> Vec<(u16, String)> {
    let mut responses = Vec::new();
    while Instant::now() < end {
        responses.push(curl_with(&[], "http://127.0.0.1:9090/index"));
    }
    responses
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn a_draining_frontend_fails_none_of_its_own_calls() {
    let end = Instant::now() + TURNS * (DRAINING + MENDED);
    let responses: Vec<_> = thread::scope(|scope| {
        let caller = || inside(POD, async || request_until(end));
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(caller)).collect();
        inside(POD, async || {
            let _mended = Mended;
            for _ in 0..TURNS {
                post("fail");
                thread::sleep(DRAINING);
                post("ok");
                thread::sleep(MENDED);
            }
        });
        let ended = callers.into_iter().map(|caller| caller.join().unwrap());
        ended.flatten().collect()
    });
    let failed: Vec<_> = responses.iter().filter(|it| it.0 != 200).collect();
    let (count, all) = (failed.len(), responses.len());
    assert_eq!(count, 0, "of {all}: {failed:?}");
    assert!(all > 100, "the load was too low: {all}");
}
