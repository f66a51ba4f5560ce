//! How much of what all clients need one connection may hold.
//!
//! A fixed part of a limit would either be too small for a client that is alone, or let a few clients take everything. So
//! the part is of what no other connection holds: something always stays free for a further connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A part in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) usize);

impl Share {
    /// Whether a connection that holds this many may take one more of those that are free. The first one is always
    /// admitted.
    pub(crate) fn admits(self, held: usize, free: usize) -> bool {
        held == 0 || (held + 1) * 100 <= (held + free) * self.0
    }
}

/// How much of `all` is taken; above 1, some wait.
pub(crate) fn utilization(taken: usize, all: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    // Without any, the first one waits.
    number(taken) / number(all.max(1))
}

/// What one connection holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    /// Slots of calls that need a script.
    pub(crate) calls: Held,
    /// Slots of calls that the proxy answers itself.
    pub(crate) builtin_calls: Held,
    /// Calls in the queue.
    pub(crate) waiting: Held,
    /// Places of streaming calls.
    pub(crate) streams: Held,
}

/// A count of things held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

impl Held {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more until the value is dropped.
    pub(crate) fn hold(&self) -> Holding {
        self.0.fetch_add(1, Ordering::Relaxed);
        Holding(Arc::clone(&self.0))
    }
}

/// One thing held.
#[derive(Debug)]
pub(crate) struct Holding(Arc<AtomicUsize>);

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What greedy connections hold in the end, each taking one in its turn.
    fn held(share: Share, limit: usize, connections: usize) -> Vec<usize> {
        let mut held = vec![0; connections];
        loop {
            let before = held.clone();
            for own in 0..connections {
                let free = limit - held.iter().sum::<usize>();
                if free > 0 && share.admits(held[own], free) {
                    held[own] += 1;
                }
            }
            if held == before {
                return held;
            }
        }
    }

    #[test]
    fn greedy_connections_leave_something_for_others() {
        let share = Share(90);
        assert_eq!(held(share, 2048, 1), [1843]);
        assert_eq!(held(share, 2048, 2), [970, 970]);
        assert_eq!(held(share, 4, 1), [3]);
        assert_eq!(held(share, 1, 1), [1]);
        for connections in 1..100 {
            assert!(held(share, 2048, connections).iter().sum::<usize>() < 2048);
        }
    }

    #[test]
    fn the_whole_share_is_everything() {
        assert_eq!(held(Share(100), 10, 1), [10]);
    }
}
