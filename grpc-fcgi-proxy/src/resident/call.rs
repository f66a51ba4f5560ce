//! A call of resident workers, from the queue to the end of its answer.

use std::collections::VecDeque;
use std::task::Waker;
use std::thread::ThreadId;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::time::Instant;

use super::error::Failure;
use super::frame::CREDIT;
use crate::metrics::increment::Increment;
use crate::share::{Holding, Holdings};
use crate::spans::CallSpan;
use crate::telemetry::ApplicationLog;
use crate::waiting::{Purpose, Ticket};

/// Smaller pieces of a stream are copied: each would keep alive the whole buffer that it was read into.
const MAX_COPIED: usize = 8 * 1024;

/// A call that is to be given to a worker.
#[derive(Debug)]
pub(super) struct NewCall {
    pub(super) purpose: Purpose,
    /// The payload of CALL without the input.
    pub(super) head: Bytes,
    /// The whole input of a unary call; the first bytes of that of a streaming call, within its credit.
    pub(super) input: Bytes,
    pub(super) deadline: Option<SystemTime>,
    pub(super) client: Holdings,
    pub(super) log: ApplicationLog,
    pub(super) span: CallSpan,
    /// The thread of the call.
    pub(super) thread: ThreadId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting(Ticket),
    Running { worker: usize, number: u32 },
    Over(Result<(), Failure>),
}

/// A call of resident workers.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) purpose: Purpose,
    pub(super) phase: Phase,
    pub(super) head: Bytes,
    pub(super) input: Bytes,
    /// Whether the input of a streaming call has ended behind these bytes, while it waits.
    pub(super) input_ended: bool,
    pub(super) deadline: Option<SystemTime>,
    pub(super) client: Holdings,
    pub(super) thread: ThreadId,
    pub(super) log: ApplicationLog,
    pub(super) span: CallSpan,
    pub(super) joined: Instant,
    /// How many bytes of input the worker takes.
    pub(super) credit: u32,
    /// How many bytes of the answer the worker may send.
    window: u32,
    /// The bytes that the client has taken since the last CREDIT.
    taken: u32,
    answer: VecDeque<Bytes>,
    /// The bytes of a unary answer.
    received: usize,
    pub(super) waker: Option<Waker>,
    /// Whether its worker may not run it any longer.
    pub(super) aborted: bool,
    /// When the call lost its client; it runs on in its worker until that ends it.
    pub(super) cancelled: Option<Instant>,
    pub(super) running: Option<(Increment, Option<Holding>)>,
}

impl Call {
    pub(super) fn new(call: NewCall, phase: Phase, joined: Instant) -> Self {
        let input = u32::try_from(call.input.len()).unwrap_or(u32::MAX);
        Self {
            purpose: call.purpose,
            phase,
            head: call.head,
            input: call.input,
            input_ended: false,
            deadline: call.deadline,
            client: call.client,
            thread: call.thread,
            log: call.log,
            span: call.span,
            joined,
            credit: CREDIT.saturating_sub(input),
            window: CREDIT,
            taken: 0,
            answer: VecDeque::new(),
            received: 0,
            waker: None,
            aborted: false,
            cancelled: None,
            running: None,
        }
    }

    pub(super) fn is_stream(&self) -> bool {
        self.purpose == Purpose::Stream
    }

    /// Adds bytes of the answer. Returns false if the worker had no credit for them.
    pub(super) fn push(&mut self, mut piece: Bytes, limit: usize) -> bool {
        let length = piece.len();
        self.received = self.received.saturating_add(length);
        if self.is_stream() {
            let left = u32::try_from(length).map(|length| self.window.checked_sub(length));
            let Ok(Some(left)) = left else {
                return false;
            };
            self.window = left;
            if length < MAX_COPIED {
                piece = Bytes::copy_from_slice(&piece);
            }
        }
        // Too long a unary answer fails its call, so its end is not needed.
        let is_kept = self.is_stream() || self.received - length <= limit;
        if length > 0 && is_kept && self.cancelled.is_none() {
            self.answer.push_back(piece);
        }
        true
    }

    /// The next piece of the answer, and the credit to return for it.
    pub(super) fn pop(&mut self) -> Option<(Bytes, u32)> {
        let piece = self.answer.pop_front()?;
        if !self.is_stream() {
            return Some((piece, 0));
        }
        self.taken += u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let credit = if self.taken >= CREDIT / 2 {
            std::mem::take(&mut self.taken)
        } else {
            0
        };
        self.window += credit;
        Some((piece, credit))
    }

    /// Wakes the caller when there is more of the answer, or more credit.
    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|own| own.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Returns false if the worker returns more credit than it can have.
    pub(super) fn add_credit(&mut self, credit: u32) -> bool {
        if !self.is_stream() {
            return true;
        }
        match self.credit.checked_add(credit) {
            Some(sum) if sum <= CREDIT => {
                self.credit = sum;
                true
            }
            _ => false,
        }
    }

    /// How the call ends if its worker does.
    pub(super) fn lost(&self) -> Failure {
        if self.received > 0 {
            Failure::CutShort
        } else {
            Failure::NoAnswer
        }
    }

    /// Nobody reads the answer any more.
    pub(super) fn cancel(&mut self, now: Instant) {
        self.cancelled = Some(now);
        self.waker = None;
        self.answer = VecDeque::new();
        self.input = Bytes::new();
        self.head = Bytes::new();
    }

    /// Releases what a call holds that runs or may run again.
    pub(super) fn end(&mut self, result: Result<(), Failure>) {
        self.phase = Phase::Over(result);
        self.running = None;
        self.input = Bytes::new();
        self.head = Bytes::new();
    }
}
