//! One call of resident workers, as the seam before PHP sees it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::call::NewCall;
use super::error::{Failure, ResidentError};
use super::frame::{CREDIT, MAX_PAYLOAD};
use super::group::Group;
use crate::binding::call_head::{INPUT_ENDS, USUAL_LENGTH, encode_call_head};
use crate::binding::variables::{Input, Variables};
use crate::share::Holdings;
use crate::spans::CallSpan;
use crate::telemetry::ApplicationLog;
use crate::waiting::{Purpose, QueueError};

/// A running or waiting call. Dropping it cancels the call.
pub(crate) struct ResidentCall<R: Stream> {
    group: Arc<Group>,
    key: usize,
    /// `None` when the input has ended, or nobody reads it any more.
    requests: Option<R>,
    /// What `requests` yielded before the call began, and CALL does not carry.
    next: Option<R::Item>,
    /// What waits for credit.
    unsent: Bytes,
    purpose: Purpose,
    joined: Instant,
    /// Limits the wait in the queue, if there is one.
    timer: Option<Timer>,
}

/// The end of a call's wait.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whether the call waits for another streaming call to end.
    of_streams: bool,
}

impl<R, E> ResidentCall<R>
where
    R: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Gives the call to a worker, or lets it wait for one. `requests` may have input already, which saves a frame.
    pub(crate) fn begin(
        group: &Arc<Group>,
        variables: &Variables<'_>,
        mut requests: R,
        client: &Holdings,
        log: ApplicationLog,
        span: &CallSpan,
        cx: &mut Context<'_>,
    ) -> Result<Self, ResidentError> {
        if variables.deadline.is_some_and(|at| at <= SystemTime::now()) {
            return Err(Failure::Expired.into());
        }
        let purpose = match variables.input {
            Input::Message { .. } => Purpose::Unary,
            Input::Stream => Purpose::Stream,
        };
        let (mut input, mut next, mut ended) = (Bytes::new(), None, false);
        match Pin::new(&mut requests).poll_next(cx) {
            Poll::Ready(Some(Ok(first))) => {
                input = first;
                match Pin::new(&mut requests).poll_next(cx) {
                    Poll::Ready(Some(item)) => next = Some(item),
                    Poll::Ready(None) => ended = true,
                    Poll::Pending => {}
                }
            }
            Poll::Ready(Some(error)) => next = Some(error),
            Poll::Ready(None) => ended = true,
            Poll::Pending => {}
        }
        let mut unsent = Bytes::new();
        if purpose == Purpose::Stream {
            unsent = input.split_off(input.len().min(usize::try_from(CREDIT).unwrap_or(0)));
        }
        let mut head = Vec::with_capacity(USUAL_LENGTH);
        encode_call_head(variables, &mut head)?;
        let whole = ended && unsent.is_empty() && head.len() + input.len() <= MAX_PAYLOAD;
        if whole {
            head[1] |= INPUT_ENDS;
        }
        let has_more = !whole && purpose == Purpose::Stream;
        let call = NewCall {
            purpose,
            head: head.into(),
            input,
            deadline: variables.deadline,
            client: client.clone(),
            log,
            span: span.clone(),
            thread: thread::current().id(),
        };
        Ok(Self {
            key: group.with(|state| state.begin(call))?,
            group: Arc::clone(group),
            requests: has_more.then_some(requests),
            next,
            unsent,
            purpose,
            joined: Instant::now(),
            timer: None,
        })
    }

    /// Polls the next piece of the answer, and sends requests. Fails if they do, or with `failed` of the reason.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        failed: impl Fn(ResidentError) -> E,
    ) -> Poll<Result<Option<Bytes>, E>> {
        if let Poll::Ready(Err(error)) = self.poll_request(cx) {
            return Poll::Ready(Err(error));
        }
        let (answer, is_waiting) = self.group.with(|state| {
            let answer = state.poll_answer(self.key, cx);
            (answer, state.is_waiting(self.key))
        });
        if answer.is_pending() && is_waiting {
            let error = ready!(self.poll_timer(cx));
            return Poll::Ready(Err(failed(error)));
        }
        answer.map_err(|failure| failed(failure.into()))
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<ResidentError> {
        let (group, purpose, joined) = (&self.group, self.purpose, self.joined);
        let timer = self.timer.get_or_insert_with(|| {
            let of_streams = purpose == Purpose::Stream && group.is_ready();
            let limit = if of_streams {
                group.limits.max_stream_wait
            } else {
                group.limits.max_wait
            };
            Timer {
                sleep: Box::pin(sleep_until(joined + limit)),
                of_streams,
            }
        });
        ready!(timer.sleep.as_mut().poll(cx));
        Poll::Ready(if timer.of_streams {
            ResidentError::Queue(group.with(|state| state.refuse_stream()))
        } else {
            ResidentError::Queue(QueueError::WaitTooLong)
        })
    }

    /// Sends as much input as the worker takes; ready when there is no more.
    pub(crate) fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        while let Some(requests) = &mut self.requests {
            while !self.unsent.is_empty() {
                let (key, unsent) = (self.key, &mut self.unsent);
                if !self.group.with(|state| state.push_input(key, unsent, cx)) {
                    return Poll::Pending;
                }
            }
            let item = match self.next.take() {
                Some(item) => Some(item),
                None => ready!(Pin::new(requests).poll_next(cx)),
            };
            match item {
                Some(piece) => self.unsent = piece?,
                None => self.end_input(),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: Stream> ResidentCall<R> {
    /// Ends the input, even if the client still sends requests.
    pub(crate) fn end_input(&mut self) {
        if self.requests.take().is_some() {
            (self.next, self.unsent) = (None, Bytes::new());
            self.group.with(|state| state.end_input(self.key));
        }
    }
}

impl<R: Stream> Drop for ResidentCall<R> {
    fn drop(&mut self) {
        self.group.with(|state| state.drop_call(self.key));
    }
}
