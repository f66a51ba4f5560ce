//! How much a report holds in memory, and how many reports are built or sent at once: together this limits the program's
//! memory.
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
    /// The bytes of a list of orders that is read for it. Decoded, it takes up to 55 times as much: an item may be five
    /// bytes, an id of one letter.
    pub(crate) message: usize,
    /// The orders that a list is requested with. Decoded, an order of short items takes up to 250 KB.
    pub(crate) rows: usize,
    /// The lists of orders that are read at once for a page.
    pub(crate) lists: usize,
    /// The orders of a page.
    pub(crate) orders: usize,
}

/// Most reports: up to 4 MiB of memory each.
const SMALL: Extent = Extent {
    text: 128 << 10,
    message: 16 << 10,
    rows: 25,
    lists: 4,
    orders: 1000,
};
const SMALL_AT_ONCE: u32 = 8;

/// Those that turn out not to be small: up to 23 MiB of memory each.
const LARGE: Extent = Extent {
    text: 4 << 20,
    message: 6 << 20,
    rows: 64,
    lists: 1,
    orders: 1000,
};
const LARGE_AT_ONCE: u32 = 3;

/// A page whose first orders are longer than a large one, while there is no large one: up to 52 MiB of memory. The checks
/// of the services permit an order of 4.4 MiB, whose JSON is 25.8 MiB if it consists of control characters. Orders are
/// requested one by one, so there are few in time.
const LARGEST: Extent = Extent {
    text: 26 << 20,
    message: 6 << 20,
    rows: 1,
    lists: 1,
    orders: 16,
};

/// The places of reports of an extent.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) extent: Extent,
    free: Arc<Semaphore>,
    /// What a report takes of them.
    share: u32,
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

    /// All of the places of large reports together.
    pub(crate) fn largest(large: &Self) -> Self {
        Self {
            extent: LARGEST,
            free: Arc::clone(&large.free),
            share: LARGE_AT_ONCE,
        }
    }

    fn new(extent: Extent, at_once: u32) -> Self {
        Self {
            extent,
            free: Arc::new(Semaphore::new(at_once as usize)),
            share: 1,
        }
    }

    /// Waits for a place, in the order of arrival; `None` if none is free in time.
    pub(crate) async fn take(&self, context: &CallContext) -> Option<Place> {
        let place = Arc::clone(&self.free).acquire_many_owned(self.share);
        context.in_time(place).await?.ok()
    }
}
