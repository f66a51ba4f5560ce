//! The body of a request: its bytes as they arrive, a timeout while they stall, and a count of the messages.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use grpc_wire::count::MessageCounter;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::CallError;
use super::http1_body::Http1Body;
use super::received::Received;

/// The body of a request. Its error is the failure of the call.
#[derive(Debug)]
pub(crate) struct RequestBody {
    content: RequestContent,
    stall: Option<StallTimer>,
    counted: Option<Counted>,
}

/// Counts the messages while another part of the program reads them.
#[derive(Debug)]
struct Counted {
    counter: MessageCounter,
    messages: Arc<AtomicU64>,
}

#[derive(Debug)]
enum RequestContent {
    Http2(Received),
    /// Boxed, since only gRPC-Web uses it.
    Http1(Box<Http1Body>),
    /// Of gRPC-Web, as they arrive.
    Web(Translated),
    /// Translated from another protocol.
    Translated(Translated),
}

impl From<Received> for RequestBody {
    fn from(body: Received) -> Self {
        RequestContent::Http2(body).into()
    }
}

impl From<Http1Body> for RequestBody {
    fn from(body: Http1Body) -> Self {
        RequestContent::Http1(Box::new(body)).into()
    }
}

/// Whether the client has broken off a request of gRPC-Web: tonic-web makes INTERNAL of each error that it reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebBreak(Arc<AtomicBool>);

impl WebBreak {
    /// The body that tonic-web reads.
    pub(crate) fn watch(
        &self,
        body: RequestBody,
    ) -> impl Body<Data = Bytes, Error = CallError> + use<> {
        let broken = Arc::clone(&self.0);
        body.map_err(move |error| {
            broken.store(
                matches!(error, CallError::RequestBroken(_)),
                Ordering::Relaxed,
            );
            error
        })
    }

    /// The body that tonic-web has made of it.
    pub(crate) fn translated(self, body: tonic::body::Body) -> RequestBody {
        let pieces = body.into_data_stream().map_err(move |error| {
            if self.0.load(Ordering::Relaxed) {
                broken(error)
            } else {
                CallError::WebRequest(error)
            }
        });
        RequestContent::Web(Translated(pieces.boxed())).into()
    }
}

/// Messages with their prefixes, translated as they are read.
struct Translated(BoxStream<'static, Result<Bytes, CallError>>);

impl fmt::Debug for Translated {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("Translated")
    }
}

impl From<RequestContent> for RequestBody {
    fn from(content: RequestContent) -> Self {
        Self {
            content,
            stall: None,
            counted: None,
        }
    }
}

impl RequestContent {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match self {
            Self::Http2(body) => {
                let bytes = ready!(body.poll_bytes(cx));
                Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data).map_err(broken)))
            }
            Self::Http1(body) => {
                let frame = ready!(body.poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(broken)))
            }
            Self::Web(Translated(messages)) | Self::Translated(Translated(messages)) => {
                let bytes = ready!(messages.poll_next_unpin(cx));
                Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }
}

fn broken(error: impl Error + Send + Sync + 'static) -> CallError {
    CallError::RequestBroken(Box::new(error))
}

impl RequestBody {
    /// Messages with their prefixes, translated from another protocol. The body that they are read from is bounded, if at
    /// all: a message waits for many pieces of it, and then for its translation.
    pub(crate) fn translated(
        messages: impl Stream<Item = Result<Bytes, CallError>> + Send + 'static,
    ) -> Self {
        RequestContent::Translated(Translated(messages.boxed())).into()
    }

    /// Fails if the client sends nothing for `idle` while the call waits for it, or has not sent everything by `end`.
    pub(super) fn bounded(mut self, idle: Duration, end: Instant) -> Self {
        if !matches!(self.content, RequestContent::Translated(_)) {
            let timer = None;
            self.stall = Some(StallTimer { idle, end, timer });
        }
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
struct StallTimer {
    idle: Duration,
    end: Instant,
    /// Runs only while the call waits: a request that the proxy does not read has not stalled.
    timer: Option<Pin<Box<Sleep>>>,
}

impl StallTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        let (idle, end) = (self.idle, self.end);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(end.min(Instant::now() + idle))));
        timer.as_mut().poll(cx).map(|()| CallError::RequestStalled)
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
            return match &mut this.stall {
                Some(stall) => stall.poll(cx).map(|error| Some(Err(error))),
                None => Poll::Pending,
            };
        };
        if let Some(stall) = &mut this.stall {
            stall.timer = None;
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
            RequestContent::Http2(body) => body.is_ended(),
            RequestContent::Http1(body) => body.is_ended(),
            RequestContent::Web(_) | RequestContent::Translated(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;
    use grpc_wire::status::Code;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::sleep;
    use tonic::Status;

    use super::*;

    /// A client that sends a byte in each interval.
    fn trickle(interval: Duration) -> RequestBody {
        let bytes = stream::repeat(()).then(move |()| async move {
            sleep(interval).await;
            Ok::<_, tonic::Status>(Frame::data(Bytes::from_static(b"x")))
        });
        WebBreak::default().translated(tonic::body::Body::new(StreamBody::new(bytes)))
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_stalled_nor_an_endless_request_is_awaited() {
        const IDLE: Duration = Duration::from_secs(30);
        const ALL: Duration = Duration::from_secs(120);
        for (interval, expected) in [(IDLE * 2, IDLE), (IDLE / 2, ALL)] {
            let start = Instant::now();
            let body = trickle(interval).bounded(IDLE, start + ALL);
            let error = body.collect().await.unwrap_err();
            assert!(matches!(error, CallError::RequestStalled), "{error}");
            assert_eq!(start.elapsed(), expected);
        }
    }

    #[tokio::test]
    async fn a_request_of_grpc_web_that_is_broken_off_is_cancelled() {
        for (error, expected) in [
            (broken(io::Error::other("gone")), Code::Cancelled),
            (CallError::MessageCount, Code::Internal),
        ] {
            let web = WebBreak::default();
            let request = RequestBody::translated(stream::iter([Err(error)]));
            // What tonic-web makes of any error.
            let read = web.watch(request).map_err(|_| Status::internal("web"));
            let call = web.translated(tonic::body::Body::new(read));
            let error = call.collect().await.unwrap_err();
            assert_eq!(error.status().code, expected);
        }
    }
}
