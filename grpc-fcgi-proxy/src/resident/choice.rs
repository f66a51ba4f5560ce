//! Which worker gets a call.
//!
//! A unary call goes to a free worker. While none is free and calls are short, a few go to a busy one: they wait there,
//! and no process has to wake up between two calls. A long call would delay those behind it.

use std::thread::ThreadId;
use std::time::Duration;

use tokio::time::Instant;

use super::state::State;
use super::worker::Worker;
use crate::share::{Holdings, utilization};
use crate::waiting::{Purpose, QueueError};

/// Unary calls in a busy worker, besides the first.
const AHEAD: usize = 8;
/// Calls are short if they take no longer than this on average, and the first one of the worker has not yet.
pub(super) const SHORT: Duration = Duration::from_millis(1);

/// The time of a unary call on average, as calls end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnaryTime(pub(super) Duration);

impl UnaryTime {
    /// It rises faster than it falls: where one call in a hundred is long, none is to wait behind another.
    pub(super) fn add(&mut self, time: Duration) {
        self.0 = match time.checked_sub(self.0) {
            Some(longer) => self.0 + longer / 8,
            None => self.0 - (self.0 - time) / 32,
        };
    }

    fn is_short(self, short: Duration) -> bool {
        self.0 <= short
    }
}

impl State {
    pub(super) fn room_for_streams(&self) -> usize {
        let room = |worker: &Worker| self.limits.streams.saturating_sub(worker.streams);
        let accepting = self.workers.iter().filter(|(_, worker)| worker.accepts());
        accepting.map(|(_, worker)| room(worker)).sum()
    }

    pub(super) fn admits_stream(&self, client: &Holdings) -> bool {
        let held = client.streams.count();
        self.limits.share.admits(held, self.room_for_streams())
    }

    pub(super) fn has_room_for_stream(&self, client: &Holdings) -> bool {
        self.room_for_streams() > self.waiting.count(Purpose::Stream) && self.admits_stream(client)
    }

    /// Why there is none: other connections may have room.
    pub(super) fn refuse_stream(&self) -> QueueError {
        QueueError::of_stream(self.has_room_for_stream(&Holdings::default()))
    }

    /// A worker runs one unary call, and a stream is the part of it that the limit on streams says.
    pub(super) fn utilization(&self) -> f64 {
        let accepting = || self.workers.iter().filter(|(_, worker)| worker.accepts());
        let workers = accepting().count();
        let unary: usize = accepting().map(|(_, worker)| worker.unary.len()).sum();
        let streams: usize = accepting().map(|(_, worker)| worker.streams).sum();
        let unary = unary + self.waiting.count(Purpose::Unary);
        let streams = streams + self.waiting.count(Purpose::Stream);
        utilization(unary, workers) + utilization(streams, workers * self.limits.streams)
    }

    /// The least loaded worker that can take the call, of those the one of its own thread.
    pub(super) fn free_worker(
        &self,
        purpose: Purpose,
        thread: ThreadId,
        now: Instant,
    ) -> Option<usize> {
        let is_free = |worker: &Worker| match purpose {
            Purpose::Unary => {
                worker.unary.is_empty()
                    || (worker.unary.len() <= AHEAD
                        && self.unary_time.is_short(self.short)
                        && now.saturating_duration_since(worker.first_since) <= self.short)
            }
            Purpose::Stream => worker.streams < self.limits.streams,
        };
        let load = |worker: &Worker| match purpose {
            Purpose::Unary => (worker.unary.len(), worker.streams),
            Purpose::Stream => (worker.streams, worker.unary.len()),
        };
        self.workers
            .iter()
            .filter(|(_, worker)| worker.accepts() && is_free(worker))
            .min_by_key(|(_, worker)| (load(worker), worker.thread != thread))
            .map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_short_unless_one_in_a_hundred_is_long() {
        let (short, long) = (Duration::from_micros(50), Duration::from_millis(500));
        let mut time = UnaryTime::default();
        assert!(time.is_short(SHORT));
        for _ in 0..10 {
            time.add(long);
            for _ in 0..100 {
                assert!(!time.is_short(SHORT));
                time.add(short);
            }
        }
        for _ in 0..100 {
            time.add(short);
        }
        assert!(time.is_short(SHORT));
        // The operating system may have run something else.
        time.add(Duration::from_millis(5));
        assert!(time.is_short(SHORT));
    }
}
