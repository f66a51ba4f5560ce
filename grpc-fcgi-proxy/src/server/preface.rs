//! Notices a client that connects and then says nothing.

use std::future::pending;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// RFC 9113, 3.4: a client begins with 24 bytes, which "MUST be followed by a SETTINGS frame, which MAY be empty": 9
/// bytes. No request of HTTP/1.1 that is a call is shorter.
const PREFACE_LENGTH: usize = 24 + 9;

/// A stream that tells when so much has come.
#[derive(Debug)]
pub(super) struct Opening<S> {
    stream: S,
    missing: usize,
    opened: Option<oneshot::Sender<()>>,
}

/// Whether it has.
#[derive(Debug)]
pub(super) struct Opened(oneshot::Receiver<()>);

impl<S> Opening<S> {
    pub(super) fn of(stream: S) -> (Self, Opened) {
        let (opened, receiver) = oneshot::channel();
        let opening = Self {
            stream,
            missing: PREFACE_LENGTH,
            opened: Some(opened),
        };
        (opening, Opened(receiver))
    }

    fn received(&mut self, length: usize) {
        self.missing = self.missing.saturating_sub(length);
        if self.missing == 0
            && let Some(opened) = self.opened.take()
        {
            // Nobody waits for it any more if the connection ends.
            let _ = opened.send(());
        }
    }
}

impl Opened {
    /// Ends only if the client takes too long.
    pub(super) async fn overdue(self, limit: Duration) {
        if timeout(limit, self.0).await.is_ok() {
            pending().await
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.received(buf.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
