//! How many calls are in the proxy at once.

use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::call::error::CallError;
use crate::metrics::Increment;

/// The places. What the proxy answers itself needs none.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    taken: IntGauge,
}

/// A place that is taken until the value is dropped.
#[derive(Debug)]
#[allow(dead_code, reason = "held until it is dropped")]
pub(super) struct Place {
    permit: OwnedSemaphorePermit,
    taken: Increment,
}

impl Places {
    /// So many. The metric follows how many are taken.
    #[must_use]
    pub fn new(count: usize, taken: IntGauge) -> Self {
        let free = Arc::new(Semaphore::new(count));
        Self { free, taken }
    }

    pub(super) fn take(&self) -> Result<Place, CallError> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        Ok(Place {
            permit: permit.map_err(|_| CallError::TooManyCalls)?,
            taken: Increment::new(&self.taken),
        })
    }
}
