//! Places bound how many exchanges each php-fpm runs at once; calls queue for them.
//!
//! A call is placed at the target with the fewest exchanges. An unreachable target is out of rotation unless every
//! target is unreachable. The queue is first in, first out, except that a streaming call which waits for one of the
//! places that streams may use does not hold up the unary calls behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::metrics::increment::Increment;
use crate::metrics::pool::PoolMetrics;

/// The use of a place. Streaming calls may use only some of a target's places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Unary,
    Stream,
}

/// The places of all targets, and the calls that wait for one.
#[derive(Debug)]
pub(super) struct Queue {
    /// Places at each target.
    exchanges: usize,
    /// Places at each target that streaming calls may use.
    streams: usize,
    metrics: PoolMetrics,
    state: Mutex<QueueState>,
}

#[derive(Debug)]
struct QueueState {
    loads: Vec<Load>,
    /// By ticket, so in the order of arrival.
    unary: BTreeMap<u64, oneshot::Sender<Place>>,
    streams: BTreeMap<u64, oneshot::Sender<Place>>,
    next_ticket: u64,
    failures: u64,
}

#[derive(Clone, Debug, Default)]
struct Load {
    running: usize,
    streams: usize,
    /// The number of the failure that took the target out of rotation.
    down: Option<u64>,
}

impl Load {
    /// The lowest rank is used first. If all targets are down, that is the one whose failure is the oldest.
    fn rank(&self) -> (Option<u64>, usize) {
        (self.down, self.running)
    }
}

impl Queue {
    pub(super) fn new(
        targets: usize,
        exchanges: usize,
        streams: usize,
        metrics: PoolMetrics,
    ) -> Arc<Self> {
        let state = QueueState {
            loads: vec![Load::default(); targets],
            unary: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_ticket: 0,
            failures: 0,
        };
        Arc::new(Self {
            exchanges,
            streams,
            metrics,
            state: Mutex::new(state),
        })
    }

    /// Takes a place if one is free; then no waiting call could have used it.
    pub(super) fn take(self: &Arc<Self>, purpose: Purpose) -> Option<Place> {
        let target = self.reserve(&mut self.lock(), purpose)?;
        Some(self.place(target, purpose))
    }

    /// Joins the queue, and leaves it when the value is dropped.
    pub(super) fn join(self: &Arc<Self>, purpose: Purpose) -> Waiter {
        let (sender, place) = oneshot::channel();
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting(purpose).insert(ticket, sender);
        drop(state);
        let waiting = Waiter {
            queue: Arc::clone(self),
            purpose,
            ticket,
            place,
        };
        // A place may have become free since the caller looked.
        self.hand_out();
        waiting
    }

    /// Whether the limit on streaming calls admits another one, even if it must then wait for a place.
    pub(super) fn has_room_for_stream(&self) -> bool {
        let state = self.lock();
        let room: usize = state
            .in_rotation()
            .map(|(_, load)| self.streams.saturating_sub(load.streams))
            .sum();
        room > state.streams.len()
    }

    /// Records whether a target is reachable; returns true if that changed.
    pub(super) fn set_reachable(self: &Arc<Self>, target: usize, reachable: bool) -> bool {
        let mut state = self.lock();
        state.failures += u64::from(!reachable);
        let failure = (!reachable).then_some(state.failures);
        let changed = state.loads.get_mut(target).is_some_and(|load| {
            std::mem::replace(&mut load.down, failure).is_some() != failure.is_some()
        });
        drop(state);
        if changed {
            self.hand_out();
        }
        changed
    }

    /// The target with the lowest load.
    pub(super) fn least_loaded(&self) -> usize {
        let state = self.lock();
        let least = state.in_rotation().min_by_key(|(_, load)| load.rank());
        least.map_or(0, |(target, _)| target)
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, target: usize, purpose: Purpose) -> Place {
        Place {
            queue: Arc::clone(self),
            target,
            purpose,
            _running: Increment::new(&self.metrics.running),
        }
    }

    fn reserve(&self, state: &mut QueueState, purpose: Purpose) -> Option<usize> {
        let free = |load: &Load| {
            load.running < self.exchanges
                && (purpose == Purpose::Unary || load.streams < self.streams)
        };
        let (target, _) = state
            .in_rotation()
            .filter(|(_, load)| free(load))
            .min_by_key(|(_, load)| load.rank())?;
        let load = state.loads.get_mut(target)?;
        load.running += 1;
        load.streams += usize::from(purpose == Purpose::Stream);
        Some(target)
    }

    /// Sends free places to waiting calls. A place whose call has gone is returned, so this must not hold the lock.
    fn hand_out(self: &Arc<Self>) {
        while let Some((waiter, place)) = self.next_waiter() {
            drop(waiter.send(place));
        }
    }

    fn next_waiter(self: &Arc<Self>) -> Option<(oneshot::Sender<Place>, Place)> {
        let mut state = self.lock();
        let mut order = [Purpose::Unary, Purpose::Stream];
        if state.streams.keys().next() < state.unary.keys().next() {
            order.reverse();
        }
        for purpose in order {
            if !state.waiting(purpose).is_empty()
                && let Some(target) = self.reserve(&mut state, purpose)
            {
                let (_, waiter) = state.waiting(purpose).pop_first()?;
                return Some((waiter, self.place(target, purpose)));
            }
        }
        None
    }
}

impl QueueState {
    fn waiting(&mut self, purpose: Purpose) -> &mut BTreeMap<u64, oneshot::Sender<Place>> {
        match purpose {
            Purpose::Unary => &mut self.unary,
            Purpose::Stream => &mut self.streams,
        }
    }

    /// The targets in rotation: those that are up, or all if none is.
    fn in_rotation(&self) -> impl Iterator<Item = (usize, &Load)> {
        let all_down = self.loads.iter().all(|load| load.down.is_some());
        let loads = self.loads.iter().enumerate();
        loads.filter(move |(_, load)| all_down || load.down.is_none())
    }
}

/// Room for one exchange with one target, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    target: usize,
    purpose: Purpose,
    _running: Increment,
}

impl Place {
    pub(super) fn target(&self) -> usize {
        self.target
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(load) = state.loads.get_mut(self.target) {
            load.running -= 1;
            load.streams -= usize::from(self.purpose == Purpose::Stream);
        }
        drop(state);
        self.queue.hand_out();
    }
}

/// A call in the queue.
#[derive(Debug)]
pub(super) struct Waiter {
    queue: Arc<Queue>,
    purpose: Purpose,
    ticket: u64,
    place: oneshot::Receiver<Place>,
}

impl Waiter {
    /// Waits for the place; `None` never happens while the call is in the queue.
    pub(super) async fn place(&mut self) -> Option<Place> {
        (&mut self.place).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let waiter = self.queue.lock().waiting(self.purpose).remove(&self.ticket);
        drop(waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::registry::Metrics;

    fn queue(targets: usize, exchanges: usize, streams: usize) -> Arc<Queue> {
        Queue::new(targets, exchanges, streams, Metrics::new().unwrap().pool)
    }

    fn targets(taken: &[Place]) -> Vec<usize> {
        taken.iter().map(Place::target).collect()
    }

    #[test]
    fn the_target_with_the_fewest_exchanges_is_used() {
        let queue = queue(3, 2, 2);
        let mut taken: Vec<_> = (0..5).filter_map(|_| queue.take(Purpose::Unary)).collect();
        assert_eq!(targets(&taken), [0, 1, 2, 0, 1]);
        drop(taken.remove(1));
        drop(taken.remove(3));
        assert_eq!(queue.take(Purpose::Unary).unwrap().target(), 1);
    }

    #[test]
    fn an_unreachable_target_is_out_of_rotation_unless_all_are() {
        let queue = queue(2, 1, 1);
        assert!(queue.set_reachable(0, false));
        assert!(!queue.set_reachable(0, false));
        let up = queue.take(Purpose::Unary).unwrap();
        assert_eq!(up.target(), 1);
        assert!(queue.take(Purpose::Unary).is_none());
        assert!(queue.set_reachable(1, false));
        assert_eq!(queue.take(Purpose::Unary).unwrap().target(), 0);
    }

    #[tokio::test]
    async fn a_waiting_stream_does_not_hold_up_unary_calls() {
        let queue = queue(1, 2, 1);
        let running = queue.take(Purpose::Stream).unwrap();
        let unary = queue.take(Purpose::Unary).unwrap();
        let mut stream = queue.join(Purpose::Stream);
        let mut second = queue.join(Purpose::Unary);
        drop(unary);
        second.place().await.unwrap();
        drop(running);
        stream.place().await.unwrap();
    }

    #[tokio::test]
    async fn a_place_whose_call_has_gone_goes_to_the_next() {
        let queue = queue(1, 1, 1);
        let running = queue.take(Purpose::Unary).unwrap();
        let first = queue.join(Purpose::Unary);
        let mut second = queue.join(Purpose::Unary);
        drop(running);
        // The place was sent to `first`, which has not received it yet.
        drop(first);
        second.place().await.unwrap();
        assert_eq!(queue.lock().loads[0].running, 0);
        assert!(queue.lock().unary.is_empty());
    }

    #[tokio::test]
    async fn a_target_that_comes_back_serves_waiting_calls() {
        let queue = queue(2, 1, 1);
        queue.set_reachable(1, false);
        let _running = queue.take(Purpose::Unary).unwrap();
        let mut waiting = queue.join(Purpose::Unary);
        queue.set_reachable(1, true);
        assert_eq!(waiting.place().await.unwrap().target(), 1);
    }

    #[test]
    fn waiting_streams_count_towards_the_limit_on_streams() {
        let queue = queue(1, 4, 2);
        assert!(queue.has_room_for_stream());
        let _first = queue.take(Purpose::Stream).unwrap();
        let _second = queue.take(Purpose::Stream).unwrap();
        assert!(!queue.has_room_for_stream());
    }
}
