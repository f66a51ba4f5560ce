//! How much a report holds in memory, and how many reports are built at once: together this limits the program's memory.
//!
//! Small reports have places of their own, which large ones, and their slow readers, cannot take.

use std::sync::Arc;

use chassis::context::CallContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a report may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// The bytes of its text; twice that, while its rows are joined.
    pub(crate) text: usize,
    /// The bytes of a message that is read for it; decoded, it takes several times as much.
    pub(crate) message: usize,
    /// The lists of orders that are read at once for a page.
    pub(crate) lists: usize,
}

/// Most reports.
const SMALL: Extent = Extent {
    text: 128 << 10,
    message: 64 << 10,
    lists: 4,
};
const SMALL_AT_ONCE: usize = 32;

/// Those that turn out not to be small. A single order with long items can exceed 4 MiB.
const LARGE: Extent = Extent {
    text: 4 << 20,
    message: 6 << 20,
    lists: 1,
};
const LARGE_AT_ONCE: usize = 3;

/// The places of reports of an extent.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) extent: Extent,
    free: Arc<Semaphore>,
}

/// The place of a report, until it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

impl Places {
    pub(crate) fn small() -> Self {
        Self::new(SMALL, SMALL_AT_ONCE)
    }

    pub(crate) fn large() -> Self {
        Self::new(LARGE, LARGE_AT_ONCE)
    }

    fn new(extent: Extent, at_once: usize) -> Self {
        let free = Arc::new(Semaphore::new(at_once));
        Self { extent, free }
    }

    /// Waits for a place, in the order of arrival; `None` if none is free in time.
    pub(crate) async fn take(&self, context: &CallContext) -> Option<Place> {
        let place = Arc::clone(&self.free).acquire_owned();
        context.in_time(place).await?.ok()
    }
}
