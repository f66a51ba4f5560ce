//! Places: how many exchanges each php-fpm runs at once, and who waits for one.
//!
//! A place is given to the target that has the fewest exchanges. One that could not be connected to is left out, as
//! long as another is there. Who comes first is served first; a streaming call that has to wait for a place that
//! streams may have does not hold up the unary calls behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::metrics::{Increment, PoolMetrics};

/// What a place is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Unary,
    /// Only so many of a target's places may be used for streaming calls.
    Stream,
}

/// All places of all targets.
#[derive(Debug)]
pub(super) struct Places {
    /// Of each target.
    exchanges: usize,
    /// Of these, of each target.
    streams: usize,
    metrics: PoolMetrics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    loads: Vec<Load>,
    /// In the order in which they came.
    unary: BTreeMap<u64, oneshot::Sender<Place>>,
    streams: BTreeMap<u64, oneshot::Sender<Place>>,
    next_ticket: u64,
    failures: u64,
}

#[derive(Clone, Debug, Default)]
struct Load {
    running: usize,
    streams: usize,
    /// Which failure to connect was its last, if it has not been connected to since.
    down: Option<u64>,
}

impl Load {
    /// The least is taken. If all are down, the one that failed longest ago.
    fn rank(&self) -> (Option<u64>, usize) {
        (self.down, self.running)
    }
}

impl Places {
    pub(super) fn new(
        targets: usize,
        exchanges: usize,
        streams: usize,
        metrics: PoolMetrics,
    ) -> Arc<Self> {
        let state = State {
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

    /// Takes a place if one is free. Nobody waits then who could have had it.
    pub(super) fn take(self: &Arc<Self>, purpose: Use) -> Option<Place> {
        let target = self.reserve(&mut self.lock(), purpose)?;
        Some(self.place(target, purpose))
    }

    /// Waits in the queue; given up when it is dropped.
    pub(super) fn queue(self: &Arc<Self>, purpose: Use) -> Queued {
        let (sender, place) = oneshot::channel();
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue(purpose).insert(ticket, sender);
        drop(state);
        let queued = Queued {
            places: Arc::clone(self),
            purpose,
            ticket,
            place,
        };
        // A place that has become free since the caller looked.
        self.hand_out();
        queued
    }

    /// Whether another streaming call may run at all, be it after a wait for its place.
    pub(super) fn has_room_for_stream(&self) -> bool {
        let state = self.lock();
        let room: usize = state
            .serving()
            .map(|(_, load)| self.streams.saturating_sub(load.streams))
            .sum();
        room > state.streams.len()
    }

    /// Says whether a target can be connected to; true if that is news.
    pub(super) fn set_down(self: &Arc<Self>, target: usize, down: bool) -> bool {
        let mut state = self.lock();
        state.failures += u64::from(down);
        let failure = down.then_some(state.failures);
        let news = state.loads.get_mut(target).is_some_and(|load| {
            std::mem::replace(&mut load.down, failure).is_some() != failure.is_some()
        });
        drop(state);
        if news {
            self.hand_out();
        }
        news
    }

    /// The target that has least to do.
    pub(super) fn least_loaded(&self) -> usize {
        let state = self.lock();
        let least = state.serving().min_by_key(|(_, load)| load.rank());
        least.map_or(0, |(target, _)| target)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, target: usize, purpose: Use) -> Place {
        Place {
            places: Arc::clone(self),
            target,
            purpose,
            _running: Increment::new(&self.metrics.running),
        }
    }

    fn reserve(&self, state: &mut State, purpose: Use) -> Option<usize> {
        let free = |load: &Load| {
            load.running < self.exchanges && (purpose == Use::Unary || load.streams < self.streams)
        };
        let (target, _) = state
            .serving()
            .filter(|(_, load)| free(load))
            .min_by_key(|(_, load)| load.rank())?;
        let load = state.loads.get_mut(target)?;
        load.running += 1;
        load.streams += usize::from(purpose == Use::Stream);
        Some(target)
    }

    /// Gives what is free to those that wait. Outside the lock: a place that nobody takes any more comes back.
    fn hand_out(self: &Arc<Self>) {
        while let Some((waiter, place)) = self.next_waiter() {
            drop(waiter.send(place));
        }
    }

    fn next_waiter(self: &Arc<Self>) -> Option<(oneshot::Sender<Place>, Place)> {
        let mut state = self.lock();
        let mut order = [Use::Unary, Use::Stream];
        if state.streams.keys().next() < state.unary.keys().next() {
            order.reverse();
        }
        for purpose in order {
            if !state.queue(purpose).is_empty()
                && let Some(target) = self.reserve(&mut state, purpose)
            {
                let (_, waiter) = state.queue(purpose).pop_first()?;
                return Some((waiter, self.place(target, purpose)));
            }
        }
        None
    }
}

impl State {
    fn queue(&mut self, purpose: Use) -> &mut BTreeMap<u64, oneshot::Sender<Place>> {
        match purpose {
            Use::Unary => &mut self.unary,
            Use::Stream => &mut self.streams,
        }
    }

    /// The targets that are not left out: those that are up, or all if none is.
    fn serving(&self) -> impl Iterator<Item = (usize, &Load)> {
        let all_down = self.loads.iter().all(|load| load.down.is_some());
        let loads = self.loads.iter().enumerate();
        loads.filter(move |(_, load)| all_down || load.down.is_none())
    }
}

/// Room for one exchange with one target, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    target: usize,
    purpose: Use,
    _running: Increment,
}

impl Place {
    pub(super) fn target(&self) -> usize {
        self.target
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        if let Some(load) = state.loads.get_mut(self.target) {
            load.running -= 1;
            load.streams -= usize::from(self.purpose == Use::Stream);
        }
        drop(state);
        self.places.hand_out();
    }
}

/// A call that waits for its place.
#[derive(Debug)]
pub(super) struct Queued {
    places: Arc<Places>,
    purpose: Use,
    ticket: u64,
    place: oneshot::Receiver<Place>,
}

impl Queued {
    pub(super) async fn place(&mut self) -> Option<Place> {
        (&mut self.place).await.ok()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let waiter = self.places.lock().queue(self.purpose).remove(&self.ticket);
        drop(waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn places(targets: usize, exchanges: usize, streams: usize) -> Arc<Places> {
        Places::new(targets, exchanges, streams, Metrics::new().unwrap().pool)
    }

    fn targets(taken: &[Place]) -> Vec<usize> {
        taken.iter().map(Place::target).collect()
    }

    #[test]
    fn the_target_with_the_fewest_exchanges_is_taken() {
        let places = places(3, 2, 2);
        let mut taken: Vec<_> = (0..5).filter_map(|_| places.take(Use::Unary)).collect();
        assert_eq!(targets(&taken), [0, 1, 2, 0, 1]);
        drop(taken.remove(1));
        drop(taken.remove(3));
        assert_eq!(places.take(Use::Unary).unwrap().target(), 1);
    }

    #[test]
    fn a_target_that_is_down_is_left_out_unless_all_are() {
        let places = places(2, 1, 1);
        assert!(places.set_down(0, true));
        assert!(!places.set_down(0, true));
        let up = places.take(Use::Unary).unwrap();
        assert_eq!(up.target(), 1);
        assert!(places.take(Use::Unary).is_none());
        assert!(places.set_down(1, true));
        assert_eq!(places.take(Use::Unary).unwrap().target(), 0);
    }

    #[tokio::test]
    async fn a_waiting_stream_does_not_hold_up_unary_calls() {
        let places = places(1, 2, 1);
        let running = places.take(Use::Stream).unwrap();
        let unary = places.take(Use::Unary).unwrap();
        let mut stream = places.queue(Use::Stream);
        let mut second = places.queue(Use::Unary);
        drop(unary);
        second.place().await.unwrap();
        drop(running);
        stream.place().await.unwrap();
    }

    #[tokio::test]
    async fn a_place_that_nobody_takes_any_more_goes_to_the_next() {
        let places = places(1, 1, 1);
        let running = places.take(Use::Unary).unwrap();
        let first = places.queue(Use::Unary);
        let mut second = places.queue(Use::Unary);
        drop(running);
        // It has its place already, and goes without having looked.
        drop(first);
        second.place().await.unwrap();
        assert_eq!(places.lock().loads[0].running, 0);
        assert!(places.lock().unary.is_empty());
    }

    #[tokio::test]
    async fn who_waits_is_served_by_a_target_that_comes_back() {
        let places = places(2, 1, 1);
        places.set_down(1, true);
        let _running = places.take(Use::Unary).unwrap();
        let mut waiting = places.queue(Use::Unary);
        places.set_down(1, false);
        assert_eq!(waiting.place().await.unwrap().target(), 1);
    }

    #[test]
    fn room_for_streams_counts_those_that_wait_for_it() {
        let places = places(1, 4, 2);
        assert!(places.has_room_for_stream());
        let _first = places.take(Use::Stream).unwrap();
        let _second = places.take(Use::Stream).unwrap();
        assert!(!places.has_room_for_stream());
    }
}
