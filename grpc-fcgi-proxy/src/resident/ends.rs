//! How workers end, and what becomes of their calls.

use tokio::time::Instant;

use super::call::Phase;
use super::state::State;
use super::worker::{Worker, WorkerId};
use crate::metrics::resident::Retirement;
use crate::spans::Event;

impl State {
    fn worker(&mut self, id: WorkerId) -> Option<&mut Worker> {
        let worker = self.workers.get_mut(id.key);
        worker.filter(|worker| worker.number == id.number)
    }

    /// Tells the worker that no call follows.
    pub(super) fn retire(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker(id) {
            worker.retire();
            let task = worker.task();
            self.wakes.extend(task);
        }
    }

    /// Fails the streaming calls of a worker for their clients, who cancel them so. Returns their number.
    pub(super) fn abort_streams(&mut self, id: WorkerId) -> u64 {
        let Some(worker) = self.worker(id) else {
            return 0;
        };
        let keys: Vec<usize> = worker.calls.values().copied().collect();
        let mut aborted = 0;
        for key in keys {
            let call = &mut self.calls[key];
            if call.is_stream() && call.cancelled.is_none() {
                call.aborted = true;
                aborted += 1;
                self.wakes.extend(call.waker.take());
            }
        }
        aborted
    }

    /// The connection of a worker has ended, and all of its calls with it, except those that cannot have begun. That is
    /// certain only if `all_received` of what the worker has sent.
    pub(super) fn remove_worker(&mut self, key: usize, all_received: bool) {
        let worker = self.workers.remove(key);
        let behind = worker.not_begun(all_received);
        for (number, call) in &worker.calls {
            if !behind.contains(number) {
                let failure = self.calls[*call].lost();
                self.finish(*call, Err(failure));
            }
        }
        let behind = behind.iter().filter_map(|number| worker.calls.get(number));
        for key in behind.copied() {
            let call = &mut self.calls[key];
            if call.cancelled.is_some() {
                self.calls.remove(key);
                continue;
            }
            call.running = None;
            let ticket = self.waiting.join_again(call.purpose, &call.client, key);
            call.phase = Phase::Waiting(ticket);
            call.span.record(Event::Waiting);
            self.metrics.waiting.inc();
            // It may have to wait again, which has a limit.
            self.wakes.extend(call.waker.take());
        }
        self.hand_out();
        self.check_hope();
    }

    /// Gives up the workers with a call that was cancelled before `since`, and has run on.
    pub(super) fn give_up_stuck(&mut self, since: Instant) {
        for (_, call) in &self.calls {
            if let Some(at) = call.cancelled
                && at < since
                && let Phase::Running { worker, number } = call.phase
                && let worker = &mut self.workers[worker]
                && (call.is_stream() || worker.has_begun_unary(number, since))
            {
                worker.ask_to_replace(Retirement::Stuck);
                self.wakes.extend(worker.give_up());
            }
        }
    }

    /// Closes the connection of a worker.
    pub(super) fn give_up(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker(id) {
            let task = worker.give_up();
            self.wakes.extend(task);
        }
    }
}
