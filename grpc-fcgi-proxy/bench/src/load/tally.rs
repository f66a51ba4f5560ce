//! The results of calls.

use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;

/// Failures after which a caller stops: it would only count how fast a server fails.
const ENOUGH_FAILURES: usize = 10;

/// The latencies of the calls that ended within the window, and all failures.
#[derive(Debug)]
pub(crate) struct Tally {
    window: Window,
    latencies: Vec<Duration>,
    /// Those of the warm-up count too.
    failures: usize,
    first_failure: Option<String>,
}

impl Tally {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            latencies: Vec::new(),
            failures: 0,
            first_failure: None,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    /// Records the result of a call that began then; returns whether the caller goes on.
    pub(super) fn record(&mut self, began: Instant, result: anyhow::Result<()>) -> bool {
        let now = Instant::now();
        match result {
            Ok(()) if now >= self.window.begin && now <= self.window.end => {
                self.latencies.push(now - began);
            }
            Ok(()) => {}
            Err(error) => self.fail(&error),
        }
        now < self.window.end && self.failures < ENOUGH_FAILURES
    }

    /// Counts a call or a connection that failed.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        self.failures += 1;
        self.first_failure.get_or_insert(format!("{error:#}"));
    }

    pub(crate) fn calls(&self) -> usize {
        self.latencies.len()
    }

    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.first_failure.as_deref()
    }

    pub(crate) fn per_second(&self) -> f64 {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a count of calls is far below 2^52"
        )]
        let calls = self.latencies.len() as f64;
        calls / (self.window.end - self.window.begin).as_secs_f64()
    }

    /// The latencies at these percentiles, in microseconds; `None` without calls.
    pub(crate) fn percentiles<const N: usize>(&mut self, percents: [usize; N]) -> Option<[f64; N]> {
        self.latencies.sort_unstable();
        let last = self.latencies.len().checked_sub(1)?;
        Some(percents.map(|percent| self.latencies[last * percent / 100].as_secs_f64() * 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_within_the_window_count_but_every_failure_does() {
        let begin = Instant::now() + Duration::from_secs(10);
        let end = begin + Duration::from_secs(10);
        let mut tally = Tally::new(Window { begin, end });
        assert!(tally.record(Instant::now(), Ok(())));
        assert!(tally.record(Instant::now(), Err(anyhow::anyhow!("wrong"))));
        assert_eq!((tally.calls(), tally.failures()), (0, 1));
        assert_eq!(tally.first_failure(), Some("wrong"));
        assert_eq!(tally.percentiles([50]), None);
    }

    #[test]
    fn percentiles_sort_the_latencies() {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(10);
        let mut tally = Tally::new(Window { begin, end });
        tally.latencies = (0..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(
            tally.percentiles([50, 99]).map(|p| p.map(f64::round)),
            Some([50.0, 99.0])
        );
    }
}
