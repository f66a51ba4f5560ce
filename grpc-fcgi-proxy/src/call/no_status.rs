//! Warns about scripts that may have failed unseen: without a status, an answer is OK, whatever it contains.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::observed::Observed;

/// The log contains at most one such warning in this time.
const PERIOD: Duration = Duration::from_secs(60);

/// Counts the calls since the last warning.
#[derive(Debug, Default)]
pub(crate) struct NoStatusWarnings(Mutex<Warned>);

#[derive(Debug, Default)]
struct Warned {
    last: Option<Instant>,
    calls: u64,
}

impl NoStatusWarnings {
    /// The answer has no status, and its Content-Type is not gRPC's, as if the script had not meant to send a message.
    pub(super) fn add(&self, observed: &Observed) {
        if let Some(calls) = self.count() {
            observed.warn_of_no_status(calls);
        }
    }

    /// The number of calls since the last warning, if it is time for another one.
    fn count(&self) -> Option<u64> {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warned.calls += 1;
        if warned.last.is_some_and(|last| last.elapsed() < PERIOD) {
            return None;
        }
        warned.last = Some(Instant::now());
        Some(std::mem::take(&mut warned.calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_warning_in_a_while_counts_the_calls() {
        let warnings = NoStatusWarnings::default();
        assert_eq!(warnings.count(), Some(1));
        for _ in 0..5 {
            assert_eq!(warnings.count(), None);
        }
        tokio::time::advance(PERIOD).await;
        assert_eq!(warnings.count(), Some(6));
        assert_eq!(warnings.count(), None);
    }
}
