//! Places bound how many exchanges each php-fpm runs at once; calls queue for them.
//!
//! A call is placed at the target with the lowest load ([`loads`](super::loads)). Connections take turns
//! ([`waiting`](crate::waiting)), except that a streaming call which waits for one of the places that streams, or its
//! connection, may use does not hold up the calls behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::loads::Loads;
use super::target::Target;
use crate::metrics::increment::Increment;
use crate::metrics::pool::PoolMetrics;
use crate::share::{Holding, Holdings, Share};
use crate::waiting::{Purpose, QueueError, Ticket, WaitingCalls};

/// The places of all targets, and the calls that wait for one.
#[derive(Debug)]
pub(super) struct Queue {
    metrics: PoolMetrics,
    /// Of the places for streams.
    share: Share,
    state: Mutex<QueueState>,
}

#[derive(Debug)]
struct QueueState {
    loads: Loads,
    waiting: WaitingCalls<oneshot::Sender<Place>>,
}

impl Queue {
    /// A queue without a target yet. Each has this number of places, for all exchanges and for streaming calls.
    pub(super) fn new(
        exchanges: usize,
        streams: usize,
        share: Share,
        metrics: PoolMetrics,
    ) -> Arc<Self> {
        let state = QueueState {
            loads: Loads::new(exchanges, streams, metrics.clone()),
            waiting: WaitingCalls::default(),
        };
        Arc::new(Self {
            metrics,
            share,
            state: Mutex::new(state),
        })
    }

    /// Replaces the targets, and returns them.
    pub(super) fn set_targets(self: &Arc<Self>, targets: Vec<Target>) -> Vec<Arc<Target>> {
        let mut state = self.lock();
        state.loads.set_targets(targets);
        let targets = state.loads.targets().cloned().collect();
        drop(state);
        self.hand_out();
        targets
    }

    /// The number of targets.
    pub(super) fn targets(&self) -> usize {
        self.lock().loads.targets().count()
    }

    /// Takes a place if one is free; then no waiting call could have used it.
    pub(super) fn take(self: &Arc<Self>, purpose: Purpose, client: &Holdings) -> Option<Place> {
        let mut state = self.lock();
        if purpose == Purpose::Stream && !self.admits_stream(&state, client) {
            return None;
        }
        let target = state.loads.reserve(purpose)?;
        drop(state);
        Some(self.place(target, purpose, client))
    }

    /// Joins the queue, and leaves it when the value is dropped.
    pub(super) fn join(self: &Arc<Self>, purpose: Purpose, client: &Holdings) -> Waiter {
        let (sender, place) = oneshot::channel();
        let mut state = self.lock();
        let ticket = state.waiting.join(purpose, client, sender);
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
    pub(super) fn has_room_for_stream(&self, client: &Holdings) -> bool {
        let state = self.lock();
        state.loads.room_for_streams() > state.waiting.count(Purpose::Stream)
            && self.admits_stream(&state, client)
    }

    /// Why there is none: other connections may have room.
    pub(super) fn refuse_stream(&self) -> QueueError {
        QueueError::of_stream(self.has_room_for_stream(&Holdings::default()))
    }

    fn admits_stream(&self, state: &QueueState, client: &Holdings) -> bool {
        let free = state.loads.room_for_streams();
        self.share.admits(client.streams.count(), free)
    }

    /// Records whether a target is reachable; returns true if that changed.
    pub(super) fn set_reachable(self: &Arc<Self>, target: &Arc<Target>, reachable: bool) -> bool {
        let changed = self.lock().loads.set_reachable(target, reachable);
        if changed {
            self.hand_out();
        }
        changed
    }

    /// Whether the target is out of rotation, and not removed.
    pub(super) fn is_down(&self, target: &Arc<Target>) -> bool {
        self.lock().loads.is_down(target)
    }

    /// Whether the caller should find out if the target is reachable.
    pub(super) fn begin_examination(&self, target: &Arc<Target>) -> bool {
        self.lock().loads.begin_examination(target)
    }

    pub(super) fn end_examination(&self, target: &Arc<Target>) {
        self.lock().loads.end_examination(target);
    }

    /// How much of the places is taken: above 1, calls wait.
    pub(super) fn utilization(&self) -> f64 {
        let state = self.lock();
        let waiting = state.waiting.count(Purpose::Unary) + state.waiting.count(Purpose::Stream);
        state.loads.utilization(waiting)
    }

    /// The target with the lowest load.
    pub(super) fn least_loaded(&self) -> Option<Arc<Target>> {
        self.lock().loads.least().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, target: Arc<Target>, purpose: Purpose, client: &Holdings) -> Place {
        Place {
            held: (purpose == Purpose::Stream).then(|| client.streams.hold()),
            queue: Arc::clone(self),
            target,
            purpose,
            _running: Increment::new(&self.metrics.running),
        }
    }

    /// Sends free places to waiting calls. A place whose call has gone is returned, so this must not hold the lock.
    fn hand_out(self: &Arc<Self>) {
        while let Some((waiter, place)) = self.next_waiter() {
            drop(waiter.send(place));
        }
    }

    fn next_waiter(self: &Arc<Self>) -> Option<(oneshot::Sender<Place>, Place)> {
        let mut state = self.lock();
        for purpose in state.waiting.order() {
            let admits = |client: &Holdings| match purpose {
                Purpose::Unary => true,
                Purpose::Stream => self.admits_stream(&state, client),
            };
            if let Some((ticket, _)) = state.waiting.first(purpose, admits)
                && let Some(target) = state.loads.reserve(purpose)
            {
                let call = state.waiting.serve(purpose, ticket)?;
                return Some((call.call, self.place(target, purpose, &call.client)));
            }
        }
        None
    }
}

/// Room for one exchange with one target, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    target: Arc<Target>,
    purpose: Purpose,
    _running: Increment,
    held: Option<Holding>,
}

impl Place {
    pub(super) fn target(&self) -> &Arc<Target> {
        &self.target
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.loads.release(&self.target, self.purpose);
        drop(state);
        // The next one may be of the same connection.
        self.held = None;
        self.queue.hand_out();
    }
}

/// A call in the queue.
#[derive(Debug)]
pub(super) struct Waiter {
    queue: Arc<Queue>,
    purpose: Purpose,
    ticket: Ticket,
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
        let waiting = self.queue.lock().waiting.leave(self.purpose, self.ticket);
        // A place may be in it, which needs the lock.
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::metrics::registry::Metrics;
    use crate::waiting::CALLS_IN_TURN;

    fn target(number: usize) -> Target {
        Target::Unix(format!("/{number}.sock").into())
    }

    fn queue(targets: usize, exchanges: usize, streams: usize) -> Arc<Queue> {
        let queue = Queue::new(exchanges, streams, Share(90), Metrics::new().unwrap().pool);
        queue.set_targets((0..targets).map(target).collect());
        queue
    }

    /// Records whether the target of this number is reachable.
    fn set_reachable(queue: &Arc<Queue>, number: usize, reachable: bool) -> bool {
        let target = queue.lock().loads.targets().nth(number).cloned();
        queue.set_reachable(&target.unwrap(), reachable)
    }

    #[tokio::test]
    async fn a_waiting_stream_does_not_hold_up_unary_calls() {
        let queue = queue(1, 2, 1);
        let running = queue.take(Purpose::Stream, &Holdings::default()).unwrap();
        let unary = queue.take(Purpose::Unary, &Holdings::default()).unwrap();
        let mut stream = queue.join(Purpose::Stream, &Holdings::default());
        let mut second = queue.join(Purpose::Unary, &Holdings::default());
        drop(unary);
        second.place().await.unwrap();
        drop(running);
        stream.place().await.unwrap();
    }

    #[tokio::test]
    async fn a_place_whose_call_has_gone_goes_to_the_next() {
        let queue = queue(1, 1, 1);
        let running = queue.take(Purpose::Unary, &Holdings::default()).unwrap();
        let first = queue.join(Purpose::Unary, &Holdings::default());
        let mut second = queue.join(Purpose::Unary, &Holdings::default());
        drop(running);
        // The place was sent to `first`, which has not received it yet.
        drop(first);
        second.place().await.unwrap();
        assert_eq!(queue.metrics.running.get(), 0);
        assert_eq!(queue.lock().waiting.count(Purpose::Unary), 0);
    }

    #[tokio::test]
    async fn a_target_that_comes_back_serves_waiting_calls() {
        let queue = queue(2, 1, 1);
        set_reachable(&queue, 1, false);
        let _running = queue.take(Purpose::Unary, &Holdings::default()).unwrap();
        let mut waiting = queue.join(Purpose::Unary, &Holdings::default());
        set_reachable(&queue, 1, true);
        assert_eq!(**waiting.place().await.unwrap().target(), target(1));
    }

    #[test]
    fn waiting_streams_count_towards_the_limit_on_streams() {
        let queue = queue(1, 4, 2);
        assert!(queue.has_room_for_stream(&Holdings::default()));
        let _first = queue.take(Purpose::Stream, &Holdings::default()).unwrap();
        let _second = queue.take(Purpose::Stream, &Holdings::default()).unwrap();
        assert!(!queue.has_room_for_stream(&Holdings::default()));
        assert_eq!(queue.refuse_stream(), QueueError::TooManyStreams);
    }

    #[tokio::test]
    async fn a_new_target_serves_waiting_calls() {
        let queue = queue(1, 1, 1);
        let _running = queue.take(Purpose::Unary, &Holdings::default()).unwrap();
        let mut waiting = queue.join(Purpose::Unary, &Holdings::default());
        queue.set_targets(vec![target(0), target(1)]);
        assert_eq!(**waiting.place().await.unwrap().target(), target(1));
    }

    #[tokio::test]
    async fn connections_take_turns() {
        let queue = queue(1, 1, 1);
        let (greedy, other) = (Holdings::default(), Holdings::default());
        let running = queue.take(Purpose::Unary, &greedy);
        let join = |_| queue.join(Purpose::Unary, &greedy);
        let mut greedy: Vec<_> = (0..=CALLS_IN_TURN).map(join).collect();
        let mut theirs = queue.join(Purpose::Unary, &other);
        let mut last = greedy.pop().unwrap();
        drop((greedy, running));
        let place = theirs.place().await;
        assert!(futures_util::poll!(pin!(last.place())).is_pending());
        drop(place);
        last.place().await.unwrap();
    }

    #[tokio::test]
    async fn one_connection_cannot_hold_all_streams() {
        let queue = queue(1, 8, 4);
        let (greedy, other) = (Holdings::default(), Holdings::default());
        let mut taken: Vec<_> = (0..4)
            .filter_map(|_| queue.take(Purpose::Stream, &greedy))
            .collect();
        assert_eq!(taken.len(), 3);
        assert!(!queue.has_room_for_stream(&greedy));
        assert_eq!(queue.refuse_stream(), QueueError::TooManyStreamsOfClient);
        let mut waiting = queue.join(Purpose::Stream, &greedy);
        assert!(futures_util::poll!(pin!(waiting.place())).is_pending());
        let theirs = queue.take(Purpose::Stream, &other).unwrap();
        taken.pop();
        assert!(futures_util::poll!(pin!(waiting.place())).is_pending());
        drop(theirs);
        waiting.place().await.unwrap();
    }
}
