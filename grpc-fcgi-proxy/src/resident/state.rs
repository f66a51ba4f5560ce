//! Which call runs next, and in which worker: the state of one script's workers, without I/O.
//!
//! Of the unary calls in a worker only the first may have begun, so the others go to another worker if theirs ends.
//! Connections take turns in the queue ([`waiting`](crate::waiting)).

use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use slab::Slab;
use tokio::time::Instant;

use super::call::{Call, NewCall, Phase};
use super::choice::{SHORT, UnaryTime};
use super::error::{Failure, ResidentError};
use super::frame::FrameType;
use super::limits::ResidentLimits;
use super::worker::{NewWorker, Worker, WorkerId};
use crate::metrics::increment::Increment;
use crate::metrics::resident::ResidentMetrics;
use crate::share::Holdings;
use crate::spans::Event;
use crate::waiting::{Purpose, QueueError, WaitingCalls};

/// The workers and calls of one script.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: ResidentLimits,
    pub(super) metrics: ResidentMetrics,
    pub(super) calls: Slab<Call>,
    pub(super) workers: Slab<Worker>,
    last_worker: u64,
    pub(super) waiting: WaitingCalls<usize>,
    /// From how many places a worker may come soon.
    hopes: usize,
    /// Whether a worker has ever been there.
    has_had_worker: bool,
    pub(super) unary_time: UnaryTime,
    /// How long a short call takes.
    pub(super) short: Duration,
    /// To be woken without the lock.
    pub(super) wakes: Vec<Waker>,
}

impl State {
    /// Without a worker, as yet.
    pub(super) fn new(limits: ResidentLimits, metrics: ResidentMetrics) -> Self {
        Self {
            limits,
            metrics,
            calls: Slab::new(),
            workers: Slab::new(),
            last_worker: 0,
            waiting: WaitingCalls::default(),
            hopes: 0,
            has_had_worker: false,
            unary_time: UnaryTime::default(),
            short: SHORT,
            wakes: Vec::new(),
        }
    }

    /// Whether a call can be served, now or soon: all workers may be replaced at once.
    pub(super) fn is_healthy(&self) -> bool {
        self.is_ready() || (self.has_had_worker && self.hopes > 0)
    }

    /// Whether there is a worker for a call.
    pub(super) fn is_ready(&self) -> bool {
        self.workers.iter().any(|(_, worker)| worker.accepts())
    }

    /// Gives the call to a worker, or lets it wait.
    pub(super) fn begin(&mut self, call: NewCall) -> Result<usize, ResidentError> {
        let is_ready = self.is_ready();
        if !is_ready && self.hopes == 0 {
            return Err(Failure::NoWorkers.into());
        }
        let now = Instant::now();
        let purpose = call.purpose;
        // Those that wait come first, as far as they could use the worker.
        let free = match purpose {
            Purpose::Unary if self.waiting.count(purpose) > 0 => None,
            Purpose::Stream if !self.admits_stream(&call.client) => None,
            _ => self.free_worker(purpose, call.thread, now),
        };
        if let Some(worker) = free {
            let key = self.calls.insert(Call::new(call, Phase::Over(Ok(())), now));
            self.give(key, worker, now);
            return Ok(key);
        }
        if purpose == Purpose::Stream
            && is_ready
            && self.limits.max_stream_wait.is_zero()
            && !self.has_room_for_stream(&call.client)
        {
            return Err(self.refuse_stream().into());
        }
        let waiting = self.waiting.count(Purpose::Unary) + self.waiting.count(Purpose::Stream);
        let room = self.limits.max_waiting.saturating_sub(waiting);
        if room == 0 || !self.limits.share.admits(call.client.waiting.count(), room) {
            return Err(QueueError::TooManyWaiting.into());
        }
        let entry = self.calls.vacant_entry();
        let key = entry.key();
        let ticket = self.waiting.join(purpose, &call.client, key);
        entry.insert(Call::new(call, Phase::Waiting(ticket), now));
        self.metrics.waiting.inc();
        self.hand_out();
        Ok(key)
    }

    fn give(&mut self, key: usize, to: usize, now: Instant) {
        let (call, worker) = (&mut self.calls[key], &mut self.workers[to]);
        let number = worker.next_number();
        worker.push_call(number, &call.head, &call.input);
        if call.input_ended {
            worker.push(FrameType::End, number);
        }
        worker.calls.insert(number, key);
        let held = if call.is_stream() {
            worker.streams += 1;
            // Streaming calls are not repeated.
            (call.head, call.input) = (Bytes::new(), Bytes::new());
            Some(call.client.streams.hold())
        } else {
            if worker.unary.is_empty() {
                worker.first_since = now;
            }
            worker.unary.push_back(number);
            None
        };
        call.running = Some((Increment::new(self.metrics.running(call.purpose)), held));
        call.phase = Phase::Running { worker: to, number };
        call.span.record(Event::Resident);
        let wait = now.saturating_duration_since(call.joined).as_secs_f64();
        self.metrics.wait_seconds.observe(wait);
        if call.is_stream() {
            // It has input to send.
            self.wakes.extend(call.waker.take());
        }
        self.wakes.extend(worker.task());
    }

    /// Gives waiting calls to workers that can take them.
    pub(super) fn hand_out(&mut self) {
        let now = Instant::now();
        while let Some((key, worker)) = self.next_waiting(now) {
            self.metrics.waiting.dec();
            let call = &mut self.calls[key];
            if call.deadline.is_some_and(|at| at <= SystemTime::now()) {
                // No script may run for a client that has stopped waiting.
                call.end(Err(Failure::Expired));
                self.wakes.extend(call.waker.take());
            } else {
                self.give(key, worker, now);
            }
        }
    }

    fn next_waiting(&mut self, now: Instant) -> Option<(usize, usize)> {
        for purpose in self.waiting.order() {
            let admits = |client: &Holdings| match purpose {
                Purpose::Unary => true,
                Purpose::Stream => self.admits_stream(client),
            };
            if let Some((ticket, key)) = self.waiting.first(purpose, admits)
                && let Some(worker) = self.free_worker(purpose, self.calls[*key].thread, now)
            {
                let call = self.waiting.serve(purpose, ticket)?;
                return Some((call.call, worker));
            }
        }
        None
    }

    /// The next piece of an answer; `None` at its end.
    pub(super) fn poll_answer(
        &mut self,
        key: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        let call = &mut self.calls[key];
        if call.aborted {
            return Poll::Ready(Err(Failure::Replaced));
        }
        if let Some((piece, credit)) = call.pop() {
            if credit > 0
                && let Phase::Running { worker, number } = call.phase
            {
                let worker = &mut self.workers[worker];
                worker.push_credit(number, credit);
                self.wakes.extend(worker.task());
            }
            return Poll::Ready(Ok(Some(piece)));
        }
        if let Phase::Over(result) = call.phase {
            return Poll::Ready(result.map(|()| None));
        }
        call.wait(cx.waker());
        Poll::Pending
    }

    /// Takes as much of a streaming call's input as may be sent now. Returns false if the caller must wait first.
    pub(super) fn push_input(&mut self, key: usize, input: &mut Bytes, cx: &Context<'_>) -> bool {
        let call = &mut self.calls[key];
        match call.phase {
            Phase::Running { worker, number } => {
                let worker = &mut self.workers[worker];
                if !worker.has_room() {
                    worker.wait_for_room(cx.waker());
                    return false;
                }
                let credit = usize::try_from(call.credit).unwrap_or(usize::MAX);
                let piece = input.split_to(input.len().min(credit));
                if piece.is_empty() {
                    call.wait(cx.waker());
                    return false;
                }
                call.credit -= u32::try_from(piece.len()).unwrap_or(call.credit);
                worker.push_input(FrameType::Data, number, piece);
                self.wakes.extend(worker.task());
                true
            }
            Phase::Waiting(_) => {
                call.wait(cx.waker());
                false
            }
            Phase::Over(_) => {
                input.clear();
                true
            }
        }
    }

    /// Ends a streaming call's input.
    pub(super) fn end_input(&mut self, key: usize) {
        let call = &mut self.calls[key];
        match call.phase {
            Phase::Running { worker, number } => {
                let worker = &mut self.workers[worker];
                worker.push(FrameType::End, number);
                self.wakes.extend(worker.task());
            }
            // The worker that gets the call is told.
            Phase::Waiting(_) => call.input_ended = true,
            Phase::Over(_) => {}
        }
    }

    /// Whether the call still waits for a worker.
    pub(super) fn is_waiting(&self, key: usize) -> bool {
        matches!(self.calls[key].phase, Phase::Waiting(_))
    }

    /// The call needs no answer any more. Its number may be used again.
    pub(super) fn drop_call(&mut self, key: usize) {
        let call = &mut self.calls[key];
        match call.phase {
            Phase::Waiting(ticket) => {
                self.waiting.leave(call.purpose, ticket);
                self.metrics.waiting.dec();
                self.calls.remove(key);
            }
            Phase::Running { worker, number } => {
                call.cancel(Instant::now());
                let worker = &mut self.workers[worker];
                worker.push(FrameType::Cancel, number);
                self.wakes.extend(worker.task());
            }
            Phase::Over(_) => {
                self.calls.remove(key);
            }
        }
    }

    pub(super) fn add_worker(&mut self, worker: NewWorker) -> WorkerId {
        self.last_worker += 1;
        let number = self.last_worker;
        let worker = Worker::new(number, worker, Instant::now());
        let key = self.workers.insert(worker);
        self.has_had_worker = true;
        self.hand_out();
        WorkerId { key, number }
    }

    pub(super) fn finish(&mut self, key: usize, result: Result<(), Failure>) {
        let call = &mut self.calls[key];
        if call.cancelled.is_some() {
            self.calls.remove(key);
            return;
        }
        call.end(result);
        self.wakes.extend(call.waker.take());
    }

    /// From one more place, or from one less, a worker may come soon.
    pub(super) fn set_hope(&mut self, has_hope: bool) {
        if has_hope {
            self.hopes += 1;
        } else {
            self.hopes -= 1;
            self.check_hope();
        }
    }

    /// No call waits for a worker that does not come.
    pub(super) fn check_hope(&mut self) {
        if self.hopes > 0 || self.is_ready() {
            return;
        }
        for purpose in [Purpose::Unary, Purpose::Stream] {
            while let Some((ticket, key)) = self.waiting.first(purpose, |_| true) {
                let key = *key;
                self.waiting.leave(purpose, ticket);
                self.metrics.waiting.dec();
                self.finish(key, Err(Failure::NoWorkers));
            }
        }
    }
}
