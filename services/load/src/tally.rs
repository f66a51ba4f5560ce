//! What has happened so far, and since the last line.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{
    operation::Operation,
    outcome::{Failure, Outcome},
};

/// A latency is off by 0.1 % at most.
const SIGNIFICANT_DIGITS: u8 = 3;
/// In microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// Counts requests, from all tasks.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Tallies>);

#[derive(Debug, Default)]
struct Tallies {
    all: [Requests; Operation::ALL.len()],
    recent: Requests,
}

/// Requests of one operation, or within a time.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    pub(crate) ok: u64,
    pub(crate) out_of_stock: u64,
    pub(crate) limited: u64,
    pub(crate) failed: BTreeMap<Failure, u64>,
    /// In microseconds, of all that were made, failed ones too.
    latencies: Histogram<u64>,
}

impl Default for Requests {
    fn default() -> Self {
        #[allow(clippy::expect_used, reason = "the constants are valid")]
        let latencies = Histogram::new_with_bounds(1, LONGEST, SIGNIFICANT_DIGITS).expect("valid");
        Self {
            ok: 0,
            out_of_stock: 0,
            limited: 0,
            failed: BTreeMap::new(),
            latencies,
        }
    }
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Tallies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that has ended this long after it was due.
    pub(crate) fn add(&self, operation: Operation, outcome: Outcome, latency: Duration) {
        let mut tallies = self.lock();
        tallies.all[operation.index()].add(outcome, latency);
        tallies.recent.add(outcome, latency);
    }

    /// The requests since the last call of this method.
    pub(crate) fn take_recent(&self) -> Requests {
        mem::take(&mut self.lock().recent)
    }

    /// All requests of each operation.
    pub(crate) fn all(&self) -> [Requests; Operation::ALL.len()] {
        self.lock().all.clone()
    }
}

impl Requests {
    fn add(&mut self, outcome: Outcome, latency: Duration) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::OutOfStock => self.out_of_stock += 1,
            Outcome::Limited => self.limited += 1,
            Outcome::Failed(failure) => *self.failed.entry(failure).or_default() += 1,
        }
        if outcome != Outcome::Failed(Failure::Dropped) {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(micros);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.out_of_stock += other.out_of_stock;
        self.limited += other.limited;
        for (&failure, count) in &other.failed {
            *self.failed.entry(failure).or_default() += count;
        }
        // Fails only if the other's range is larger.
        let _ = self.latencies.add(&other.latencies);
    }

    pub(crate) fn count(&self) -> u64 {
        self.ok + self.out_of_stock + self.limited + self.failed()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Percent of the requests; 0 if there were none.
    pub(crate) fn failed_percent(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (failed, count) = (self.failed() as f64, self.count().max(1) as f64);
        100.0 * failed / count
    }

    /// The latency that this part of the requests did not exceed; zero without requests.
    pub(crate) fn latency(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latencies.value_at_quantile(quantile))
    }

    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.latencies.max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn answers_that_are_no_failures_count_by_themselves() {
        let tally = Tally::default();
        for outcome in [
            Outcome::Ok,
            Outcome::Ok,
            Outcome::OutOfStock,
            Outcome::Limited,
            Outcome::Failed(Failure::Status(503)),
        ] {
            tally.add(Operation::PlaceOrder, outcome, MS);
        }
        let recent = tally.take_recent();
        assert_eq!((recent.ok, recent.out_of_stock, recent.limited), (2, 1, 1));
        assert_eq!((recent.count(), recent.failed()), (5, 1));
        assert!((recent.failed_percent() - 20.0).abs() < 1e-9);
        assert_eq!(tally.take_recent().count(), 0);
        assert_eq!(tally.all()[Operation::PlaceOrder.index()].count(), 5);
    }

    #[test]
    fn a_dropped_request_is_a_failure_without_a_latency() {
        let mut requests = Requests::default();
        requests.add(Outcome::Ok, MS);
        requests.add(Outcome::Failed(Failure::Dropped), 1000 * MS);
        assert_eq!(requests.failed(), 1);
        assert!(requests.longest() < 2 * MS);
    }

    #[test]
    fn percentiles_are_those_of_all_merged_requests() {
        let (mut one, mut other) = (Requests::default(), Requests::default());
        (1..=99).for_each(|ms| one.add(Outcome::Ok, ms * MS));
        other.add(Outcome::Failed(Failure::Timeout), 5000 * MS);
        one.merge(&other);
        let near = |latency: Duration, ms: u32| latency.abs_diff(ms * MS) < MS;
        assert!(near(one.latency(0.5), 50), "{:?}", one.latency(0.5));
        assert!(near(one.latency(0.99), 99), "{:?}", one.latency(0.99));
        assert!(one.longest().abs_diff(5000 * MS) < 10 * MS);
        assert_eq!(one.failed[&Failure::Timeout], 1);
    }
}
