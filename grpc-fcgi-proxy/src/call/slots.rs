//! The limit on calls that the proxy holds at once. Calls that it answers itself need no slot.

use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::CallError;
use crate::metrics::increment::Increment;

/// The slots.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    taken: IntGauge,
}

/// A slot, which is held until it is dropped.
#[derive(Debug)]
#[allow(dead_code, reason = "held until it is dropped")]
pub(super) struct Slot {
    permit: OwnedSemaphorePermit,
    taken: Increment,
}

impl Slots {
    /// `count` slots; the metric follows how many are taken.
    pub(crate) fn new(count: usize, taken: IntGauge) -> Self {
        let free = Arc::new(Semaphore::new(count));
        Self { free, taken }
    }

    pub(super) fn take(&self) -> Result<Slot, CallError> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        Ok(Slot {
            permit: permit.map_err(|_| CallError::TooManyCalls)?,
            taken: Increment::new(&self.taken),
        })
    }
}
