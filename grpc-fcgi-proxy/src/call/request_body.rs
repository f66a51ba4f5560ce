//! The body of a request: its bytes as they come, and what is watched on them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::call::error::CallError;
use grpc_wire::count::MessageCounter;

/// What the client sends. Its error says why the call fails.
#[derive(Debug)]
pub struct RequestBody {
    content: Content,
    idle: Option<Idle>,
    counted: Option<Counted>,
}

/// Counts the messages while something else reads them.
#[derive(Debug)]
struct Counted {
    counter: MessageCounter,
    messages: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Content {
    Plain(Incoming),
    /// Of gRPC-Web.
    Web(tonic::body::Body),
}

impl From<Incoming> for RequestBody {
    fn from(body: Incoming) -> Self {
        Content::Plain(body).into()
    }
}

impl From<tonic::body::Body> for RequestBody {
    fn from(body: tonic::body::Body) -> Self {
        Content::Web(body).into()
    }
}

impl From<Content> for RequestBody {
    fn from(content: Content) -> Self {
        Self {
            content,
            idle: None,
            counted: None,
        }
    }
}

impl Content {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match self {
            Self::Plain(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(CallError::RequestBroken)))
            }
            Self::Web(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(CallError::WebRequest)))
            }
        }
    }
}

impl RequestBody {
    /// Fails if nothing comes for so long, while it is waited for.
    pub(super) fn bounded(mut self, limit: Duration) -> Self {
        self.idle = Some(Idle { limit, timer: None });
        self
    }

    /// Counts the messages in `messages`, and fails at one of more than `limit` bytes.
    pub(super) fn counted(mut self, limit: usize, messages: Arc<AtomicU64>) -> Self {
        let counter = MessageCounter::new(limit);
        self.counted = Some(Counted { counter, messages });
        self
    }
}

#[derive(Debug)]
struct Idle {
    limit: Duration,
    /// Runs only while nothing is there: what the proxy does not take is not the client's delay.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx).map(|()| CallError::RequestIdle)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = this.content.poll_frame(cx) else {
            return match &mut this.idle {
                Some(idle) => idle.poll(cx).map(|error| Some(Err(error))),
                None => Poll::Pending,
            };
        };
        if let Some(idle) = &mut this.idle {
            idle.timer = None;
        }
        if let (Some(counted), Some(Ok(frame))) = (&mut this.counted, &frame)
            && let Some(bytes) = frame.data_ref()
        {
            match counted.counter.push(bytes) {
                Ok(begun) => counted.messages.fetch_add(begun, Ordering::Relaxed),
                Err(error) => return Poll::Ready(Some(Err(CallError::RequestMessage(error)))),
            };
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Plain(body) => body.is_end_stream(),
            Content::Web(body) => body.is_end_stream(),
        }
    }
}
