//! A resident worker as the scheduler sees it: its calls, and what is to be sent to it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread::ThreadId;

use bytes::{Buf, Bytes};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::frame::{self, FrameType, MAX_PAYLOAD};
use crate::fastcgi::segments::Segments;
use crate::metrics::resident::{Retirement, WorkerMetrics};
use crate::telemetry::WorkerLog;

/// Streaming calls send no input while this number of bytes waits to be written.
const MAX_UNWRITTEN: usize = 256 * 1024;
/// A worker is replaced at the latest after this number of calls: numbers have 32 bits.
const LAST_CALLS: u64 = 1 << 31;

/// A worker that has connected.
#[derive(Debug)]
pub(super) struct NewWorker {
    /// The thread that serves its connection.
    pub(super) thread: ThreadId,
    /// The calls after which it asks to be replaced.
    pub(super) max_calls: Option<u64>,
    /// Set when it gets a call.
    pub(super) used: Arc<AtomicBool>,
    /// Told once that the worker is to be replaced.
    pub(super) replace: oneshot::Sender<Retirement>,
    pub(super) log: WorkerLog,
    pub(super) metrics: WorkerMetrics,
}

/// Names a worker, even after it has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerId {
    /// Another worker may get it later.
    pub(super) key: usize,
    pub(super) number: u64,
}

/// A worker with an open connection.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: u64,
    pub(super) thread: ThreadId,
    max_calls: Option<u64>,
    used: Arc<AtomicBool>,
    replace: Option<oneshot::Sender<Retirement>>,
    pub(super) log: WorkerLog,
    pub(super) metrics: WorkerMetrics,
    outbox: Segments,
    /// Of the connection's task, while it waits.
    waker: Option<Waker>,
    /// Streaming calls that wait until less is to be written.
    blocked: Vec<Waker>,
    last_number: u32,
    /// Of the last call that it can have seen. It may end no other: one that reads nothing would get ever more.
    last_seen: u32,
    /// The calls without END from the worker.
    pub(super) calls: HashMap<u32, usize>,
    /// The unary ones, in their order: only the first may have begun.
    pub(super) unary: VecDeque<u32>,
    pub(super) streams: usize,
    /// When the first unary call may have begun.
    pub(super) first_since: Instant,
    /// Whether it was told that no call follows.
    retired: bool,
    /// The only unary call that may have begun when its script ended, if it has.
    exit: Option<u32>,
    /// Whether its connection is to be closed.
    pub(super) given_up: bool,
    busy: u64,
}

impl Worker {
    pub(super) fn new(number: u64, worker: NewWorker, now: Instant) -> Self {
        Self {
            number,
            thread: worker.thread,
            max_calls: worker.max_calls,
            used: worker.used,
            replace: Some(worker.replace),
            log: worker.log,
            metrics: worker.metrics,
            outbox: Segments::default(),
            waker: None,
            blocked: Vec::new(),
            last_number: 0,
            last_seen: 0,
            calls: HashMap::new(),
            unary: VecDeque::new(),
            streams: 0,
            first_since: now,
            retired: false,
            exit: None,
            given_up: false,
            busy: 0,
        }
    }

    /// Whether it may get further calls.
    pub(super) fn accepts(&self) -> bool {
        !self.retired && self.last_number < u32::MAX
    }

    /// Assigns the number of the next call.
    pub(super) fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        if self.last_number == 1 {
            self.used.store(true, Ordering::Relaxed);
        }
        let calls = u64::from(self.last_number);
        if self.max_calls == Some(calls) || calls == LAST_CALLS {
            self.ask_to_replace(Retirement::Calls);
        }
        self.last_number
    }

    /// Whether it can know the call.
    pub(super) fn has_seen(&self, call: u32) -> bool {
        call <= self.last_seen
    }

    /// Whether a unary call may have begun before `since`. One behind another waits for it, which may take its time.
    pub(super) fn has_begun_unary(&self, call: u32, since: Instant) -> bool {
        self.unary.front() == Some(&call) && self.first_since < since
    }

    pub(super) fn ask_to_replace(&mut self, reason: Retirement) {
        if let Some(replace) = self.replace.take() {
            // The receiver is dropped if it is being replaced already.
            let _ = replace.send(reason);
        }
    }

    /// Tells the worker that no call follows.
    pub(super) fn retire(&mut self) {
        if !std::mem::replace(&mut self.retired, true) {
            self.push(FrameType::Retire, 0);
        }
    }

    /// Its script has ended in that unary call, or in none.
    pub(super) fn exit(&mut self, call: u32) {
        self.retired = true;
        self.exit = Some(call);
    }

    pub(super) fn has_exited(&self) -> bool {
        self.exit.is_some()
    }

    /// The unary calls that cannot have begun. Which is the first without END is known only if `all_received` of what the
    /// worker has sent.
    pub(super) fn not_begun(&self, all_received: bool) -> Vec<u32> {
        let unary = self.unary.iter().copied();
        match self.exit {
            Some(call) => unary.filter(|number| *number != call).collect(),
            None if all_received => unary.skip(1).collect(),
            None => Vec::new(),
        }
    }

    /// Sends the call with its input. Only that of a unary call, which is whole, may be longer than a frame.
    pub(super) fn push_call(&mut self, number: u32, head: &Bytes, input: &Bytes) {
        let mut rest = input.clone();
        let first = rest.split_to(rest.len().min(MAX_PAYLOAD - head.len()));
        self.push_header(FrameType::Call, number, head.len() + first.len());
        self.outbox.push(head.clone());
        self.outbox.push(first);
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(MAX_PAYLOAD));
            let kind = if rest.is_empty() {
                FrameType::End
            } else {
                FrameType::Data
            };
            self.push_input(kind, number, piece);
        }
    }

    /// Sends input of at most [`MAX_PAYLOAD`].
    pub(super) fn push_input(&mut self, kind: FrameType, number: u32, piece: Bytes) {
        self.push_header(kind, number, piece.len());
        self.outbox.push(piece);
    }

    /// Sends a frame without payload.
    pub(super) fn push(&mut self, kind: FrameType, number: u32) {
        self.push_header(kind, number, 0);
    }

    pub(super) fn push_credit(&mut self, number: u32, bytes: u32) {
        self.outbox.push_slice(&frame::encode_credit(number, bytes));
    }

    fn push_header(&mut self, kind: FrameType, number: u32, length: usize) {
        let header = frame::encode_header(kind, number, length);
        self.outbox.push_slice(&header);
    }

    /// Whether a streaming call may send input now.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.remaining() < MAX_UNWRITTEN
    }

    /// Wakes the caller when there is room.
    pub(super) fn wait_for_room(&mut self, waker: &Waker) {
        self.blocked.push(waker.clone());
    }

    /// Takes what is to be written, and those who wait for room.
    pub(super) fn take_outbox(&mut self, wakes: &mut Vec<Waker>) -> Segments {
        wakes.append(&mut self.blocked);
        self.last_seen = self.last_number;
        std::mem::take(&mut self.outbox)
    }

    /// Wakes the connection's task if nothing is to be written until something is; else returns false.
    pub(super) fn wait_for_output(&mut self, waker: &Waker, is_writing: bool) -> bool {
        if self.given_up || (!is_writing && self.outbox.has_remaining()) {
            return false;
        }
        self.waker = Some(waker.clone());
        true
    }

    /// The connection's task, if it waits and has something to do.
    pub(super) fn task(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// Its connection is to be closed. Returns the connection's task, if it waits.
    pub(super) fn give_up(&mut self) -> Option<Waker> {
        self.given_up = true;
        self.task()
    }

    pub(super) fn set_status(&mut self, busy: u64, memory: u64) {
        self.metrics.status(busy.saturating_sub(self.busy), memory);
        self.busy = self.busy.max(busy);
    }
}
