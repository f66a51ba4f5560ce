//! The limit on calls that the proxy holds at once, and the share of it that one connection may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;

use super::error::CallError;
use crate::share::{Held, Holding, Share};

/// The slots.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    free: AtomicUsize,
    share: Share,
    taken: IntGauge,
}

/// A slot, which is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Inner>,
    _held: Holding,
}

impl Slots {
    /// `count` slots; the metric follows how many are taken.
    pub(crate) fn new(count: usize, share: Share, taken: IntGauge) -> Self {
        let free = AtomicUsize::new(count);
        Self(Arc::new(Inner { free, share, taken }))
    }

    /// Takes a slot for a connection that holds `held`.
    pub(super) fn take(&self, held: &Held) -> Result<Slot, CallError> {
        let one_less = |free: usize| free.checked_sub(1);
        let slots = &self.0;
        let free = slots
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .map_err(|_| CallError::TooManyCalls)?;
        let admitted = slots.share.admits(held.count(), free);
        slots.taken.inc();
        let slot = Slot {
            slots: Arc::clone(slots),
            _held: held.hold(),
        };
        if admitted {
            Ok(slot)
        } else {
            Err(CallError::TooManyCallsOfClient)
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.free.fetch_add(1, Ordering::Relaxed);
        self.slots.taken.dec();
    }
}
