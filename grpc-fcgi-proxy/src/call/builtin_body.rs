//! The body of a response of the proxy's own services: counted, logged, and ended at the deadline.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpc_wire::count::MessageCounter;
use grpc_wire::status::{GRPC_STATUS, decode_code};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::{Aborted, CallError};
use super::observed::Observed;

#[derive(Debug)]
pub(super) struct BuiltinBody {
    body: tonic::body::Body,
    observed: Observed,
    received: Arc<AtomicU64>,
    sent: u64,
    counter: MessageCounter,
    deadline: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl BuiltinBody {
    pub(super) fn new(
        body: tonic::body::Body,
        observed: Observed,
        received: Arc<AtomicU64>,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            body,
            observed,
            received,
            counter: MessageCounter::new(usize::MAX),
            sent: 0,
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            ended: false,
        }
    }

    /// Ends the call if the header fields, or the trailers, have its status.
    pub(super) fn end_with(&mut self, fields: &HeaderMap) {
        if let Some(status) = fields.get(GRPC_STATUS) {
            self.ended = true;
            self.count();
            self.observed.end(decode_code(status.as_bytes()));
        }
    }

    fn count(&mut self) {
        let received = self.received.load(Ordering::Relaxed);
        self.observed.set_messages(received, self.sent);
    }

    fn deadline_exceeded(&mut self) -> Frame<Bytes> {
        let error = CallError::DeadlineExceeded;
        self.ended = true;
        self.count();
        self.observed.fail(&error);
        let mut trailers = HeaderMap::new();
        error.status().write(&mut trailers);
        Frame::trailers(trailers)
    }

    fn pass(&mut self, frame: &Frame<Bytes>) {
        if let Some(bytes) = frame.data_ref() {
            // The proxy's own messages are never too large.
            self.sent += self.counter.push(bytes).unwrap_or_default();
            // The client may go away before the next frame.
            self.count();
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.end_with(trailers);
        }
    }
}

impl Body for BuiltinBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Ok(self.deadline_exceeded())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.pass(frame);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|_| Aborted)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
