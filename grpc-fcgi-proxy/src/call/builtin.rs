//! A call of a service that the proxy has itself: told of, and ended at its deadline, as any other.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::failed;
use super::observed::Observed;
use super::request_body::RequestBody;
use super::response_body::{Answer, BrokenOff};
use crate::builtin::{LocalService, MAX_MESSAGE};
use crate::call::error::CallError;
use grpc_wire::count::MessageCounter;
use grpc_wire::status::{Code, GRPC_STATUS, decode_code};

/// Serves the call until its header fields can go out.
pub(super) async fn run(
    service: LocalService,
    mut observed: Observed,
    deadline: Option<Instant>,
    request: Request<RequestBody>,
) -> Response<Answer> {
    let received = Arc::new(AtomicU64::new(0));
    let served =
        service.serve(request.map(|body| body.counted(MAX_MESSAGE, Arc::clone(&received))));
    let served = match deadline {
        Some(deadline) => timeout_at(deadline, served).await.ok(),
        None => Some(served.await),
    };
    let Some(response) = served else {
        return failed(observed, &CallError::DeadlineExceeded);
    };
    observed.set_answered();
    let ended = code(response.headers());
    response.map(|body| {
        let mut answer = LocalAnswer::new(body, observed, received, deadline);
        if let Some(code) = ended {
            answer.end(code);
        }
        answer.into()
    })
}

fn code(fields: &HeaderMap) -> Option<Code> {
    let status = fields.get(GRPC_STATUS);
    status.map(|value| decode_code(value.as_bytes()))
}

/// The body of the answer.
#[derive(Debug)]
pub(super) struct LocalAnswer {
    body: tonic::body::Body,
    observed: Observed,
    received: Arc<AtomicU64>,
    sent: u64,
    counter: MessageCounter,
    deadline: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl LocalAnswer {
    fn new(
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

    fn end(&mut self, code: Code) {
        self.ended = true;
        self.count();
        self.observed.end(code);
    }

    fn count(&mut self) {
        let received = self.received.load(Ordering::Relaxed);
        self.observed.set_messages(received, self.sent);
    }

    fn deadline_exceeded(&mut self) -> Frame<Bytes> {
        let outcome = self.observed.fail(&CallError::DeadlineExceeded);
        self.end(outcome.status.code);
        let mut trailers = outcome.trailers;
        outcome.status.write(&mut trailers);
        Frame::trailers(trailers)
    }

    fn pass(&mut self, frame: &Frame<Bytes>) {
        if let Some(bytes) = frame.data_ref() {
            // The proxy's own messages are never too large.
            self.sent += self.counter.push(bytes).unwrap_or_default();
            // So that they are there if the client goes away now.
            self.count();
        }
        if let Some(code) = frame.trailers_ref().and_then(code) {
            self.end(code);
        }
    }
}

impl Body for LocalAnswer {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
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
        Poll::Ready(frame.map(|frame| frame.map_err(|_| BrokenOff)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
