//! Requests for the report while something happens to the pods.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::pods::{curl, index_url};

/// Each uses a new connection for each request.
const CALLERS: usize = 3;

/// How the requests ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) correct: usize,
    /// The status and the body of each other response.
    pub(crate) failed: Vec<(u16, String)>,
}

/// Stops the load even if the action fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs the action while callers request the report, one by one each, and compare it with `expected`.
pub(crate) fn under_load(expected: &Value, action: impl FnOnce()) -> Outcome {
    let (url, stop) = (index_url(), AtomicBool::new(false));
    let load = || {
        let mut outcome = Outcome::default();
        while !stop.load(Ordering::Relaxed) {
            let (status, body) = curl(&url, &[]);
            if status == 200 && serde_json::from_str::<Value>(&body).is_ok_and(|it| it == *expected)
            {
                outcome.correct += 1;
            } else {
                outcome.failed.push((status, body));
            }
        }
        outcome
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(load)).collect();
        {
            let _stop = Stop(&stop);
            action();
        }
        let mut all = Outcome::default();
        for caller in callers {
            let one = caller.join().unwrap();
            all.correct += one.correct;
            all.failed.extend(one.failed);
        }
        all
    })
}
