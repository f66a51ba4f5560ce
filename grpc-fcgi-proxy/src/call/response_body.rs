//! The body of a response: messages and trailers, and the call's slot until the client has received them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::mpsc;

use super::error::Aborted;
use super::open::OpenCall;
use super::slots::Slot;

/// The largest piece of a message that HTTP/2 gets at once. It would buffer a whole message for a client that does not
/// read, while the call no longer holds a slot.
const PIECE: usize = 64 * 1024;

/// The body of a response.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "some fields are held until they are dropped")]
pub(crate) struct ResponseBody {
    content: ResponseContent,
    slot: Option<Slot>,
    open: Option<OpenCall>,
}

impl ResponseBody {
    /// At most one message, then the trailers.
    pub(super) fn whole(message: Option<Bytes>, trailers: HeaderMap) -> Self {
        let trailers = Some(trailers);
        ResponseContent::Whole { message, trailers }.into()
    }

    /// Frames as they arrive; the last one is the trailers.
    pub(super) fn stream(frames: mpsc::Receiver<Frame<Bytes>>) -> Self {
        ResponseContent::Stream(frames).into()
    }

    /// Bytes of another protocol.
    pub(crate) fn content(content: Bytes) -> Self {
        let message = Some(content).filter(|content| !content.is_empty());
        ResponseContent::Whole {
            message,
            trailers: None,
        }
        .into()
    }

    /// The body of another protocol.
    pub(crate) fn translated(
        body: impl Body<Data = Bytes, Error = Aborted> + Send + 'static,
    ) -> Self {
        ResponseContent::Other(body.boxed_unsync()).into()
    }

    /// Reads the body to its end, for a protocol that needs it whole.
    pub(crate) async fn into_whole(mut self) -> Result<WholeBody, Aborted> {
        let slot = self.slot.take();
        let (message, trailers) = match self.content {
            ResponseContent::Whole { message, trailers } => (message, trailers),
            _ => {
                let collected = self.collect().await?;
                let trailers = collected.trailers().cloned();
                (Some(collected.to_bytes()), trailers)
            }
        };
        Ok(WholeBody {
            message: message.unwrap_or_default(),
            trailers: trailers.unwrap_or_default(),
            slot,
        })
    }

    /// Holds the call's slot until the client has received the response.
    pub(crate) fn in_slot(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Counts the call as open on its connection until then.
    pub(crate) fn counted(mut self, open: OpenCall) -> Self {
        self.open = Some(open);
        self
    }
}

/// A response that has been read to its end.
pub(crate) struct WholeBody {
    /// The messages, with their prefixes.
    pub(crate) message: Bytes,
    pub(crate) trailers: HeaderMap,
    /// The call's slot.
    pub(crate) slot: Option<Slot>,
}

#[derive(Debug)]
enum ResponseContent {
    Whole {
        message: Option<Bytes>,
        trailers: Option<HeaderMap>,
    },
    Stream(mpsc::Receiver<Frame<Bytes>>),
    /// That of the proxy's own services, or of another protocol.
    Other(UnsyncBoxBody<Bytes, Aborted>),
}

impl From<ResponseContent> for ResponseBody {
    fn from(content: ResponseContent) -> Self {
        Self {
            content,
            ..Self::default()
        }
    }
}

impl From<tonic::body::Body> for ResponseBody {
    fn from(body: tonic::body::Body) -> Self {
        Self::translated(body.map_err(|_| Aborted))
    }
}

impl Default for ResponseContent {
    fn default() -> Self {
        Self::Whole {
            message: None,
            trailers: None,
        }
    }
}

impl ResponseContent {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match self {
            Self::Whole { message, trailers } => {
                let frame = next_piece(message).map(Frame::data);
                let frame = frame.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            // Without trailers, its task ended before it could send them.
            Self::Stream(frames) => frames.poll_recv(cx).map(|frame| Some(frame.ok_or(Aborted))),
            Self::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let frame = ready!(self.content.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && frame.is_trailers()
        {
            // A client that has the trailers may call again, and must not be refused because of this call.
            *self = Self::default();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            ResponseContent::Whole { message, trailers } => message.is_none() && trailers.is_none(),
            ResponseContent::Stream(_) => false,
            ResponseContent::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        // Without a hint: a length of 0 would become a content-length, which gRPC does not use.
        SizeHint::default()
    }
}

fn next_piece(message: &mut Option<Bytes>) -> Option<Bytes> {
    let mut rest = message.take()?;
    let piece = rest.split_to(rest.len().min(PIECE));
    *message = Some(rest).filter(|rest| !rest.is_empty());
    Some(piece)
}
