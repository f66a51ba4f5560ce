//! The body of an HTTP/1.1 request. What the call leaves unread comes back: the next request of the connection is behind it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::sync::oneshot;

/// Comes back through its [`Unread`] when it is dropped.
#[derive(Debug)]
pub(crate) struct Http1Body {
    /// `None` when it has been read to its end.
    body: Option<Incoming>,
    unread: Option<oneshot::Sender<Incoming>>,
}

/// Receives the body that is dropped before its end has been read, and closes when it has been read.
pub(crate) type Unread = oneshot::Receiver<Incoming>;

impl Http1Body {
    pub(crate) fn new(body: Incoming) -> (Self, Unread) {
        let (sender, unread) = oneshot::channel();
        let body = Self {
            body: Some(body),
            unread: Some(sender),
        };
        (body, unread)
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }
}

impl Drop for Http1Body {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Some(unread)) = (body, self.unread.take()) {
            // The connection may have ended.
            let _ = unread.send(body);
        }
    }
}
