//! The workers and calls of one script, shared by the threads.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::limits::ResidentLimits;
use super::state::State;
use crate::metrics::exchanges::ExchangeMetrics;
use crate::metrics::resident::ResidentMetrics;

/// The workers of one script.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) limits: ResidentLimits,
    pub(super) metrics: ResidentMetrics,
    state: Mutex<State>,
}

impl Group {
    /// Without a worker, as yet.
    pub(super) fn new(limits: ResidentLimits, metrics: ResidentMetrics) -> Self {
        Self {
            limits,
            state: Mutex::new(State::new(limits, metrics.clone())),
            metrics,
        }
    }

    /// Changes the state, then wakes the tasks that this concerns. The lock must not be held then: a task that is woken
    /// may be dropped, and its call with it.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let wakes = std::mem::take(&mut state.wakes);
        drop(state);
        for waker in wakes {
            waker.wake();
        }
        result
    }

    /// Counts its calls.
    pub(crate) fn call_metrics(&self) -> ExchangeMetrics {
        self.metrics.calls.clone()
    }

    /// Whether a worker is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.with(|state| state.is_ready())
    }

    /// Whether calls can be served, now or soon.
    pub(super) fn is_healthy(&self) -> bool {
        self.with(|state| state.is_healthy())
    }

    /// How busy the workers are: above 1, calls wait.
    pub(super) fn utilization(&self) -> f64 {
        self.with(|state| state.utilization())
    }

    /// Gives up stuck workers, forever.
    pub(super) async fn watch(&self) {
        let timeout = self.limits.stuck_timeout;
        let period = (timeout / 4).clamp(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            sleep(period).await;
            if let Some(since) = Instant::now().checked_sub(timeout) {
                self.with(|state| state.give_up_stuck(since));
            }
        }
    }
}
