//! The connection of one exchange, and its place.
//!
//! A connection whose exchange ended is released: closed, or kept for the next exchange. If the exchange did not end, a
//! worker may still be busy with it, and php-fpm cannot report that: so the place stays taken until the worker closes
//! the connection, or writes to it. Then the connection is closed, so that the script's next write fails. The same applies to
//! a worker that goes on after END_REQUEST (`fastcgi_finish_request()`), if its script says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::exchange::Progress;
use super::idle::IdleConnections;
use super::open::Open;
use super::queue::Place;
use super::socket::Socket;
use crate::metrics::increment::Increment;
use crate::metrics::pool::PoolMetrics;

#[derive(Debug)]
pub(crate) struct Connection {
    /// `None` after its release.
    inner: Option<(Open, Place)>,
    idle: Arc<IdleConnections>,
    metrics: PoolMetrics,
    /// How long to wait for the worker of an abandoned exchange.
    abandoned_timeout: Duration,
    /// Whether a script may have started to run.
    written: bool,
}

impl Connection {
    pub(super) fn new(
        open: Open,
        place: Place,
        idle: Arc<IdleConnections>,
        metrics: &PoolMetrics,
        abandoned_timeout: Duration,
    ) -> Self {
        Self {
            inner: Some((open, place)),
            idle,
            metrics: metrics.clone(),
            abandoned_timeout,
            written: false,
        }
    }

    /// Closes or keeps the connection if its exchange ended; else the exchange is abandoned.
    ///
    /// With `close`, the worker may stay busy after END_REQUEST. If it keeps the connection, it closes it when it is done.
    pub(crate) fn release(mut self, progress: Progress, close: bool) {
        let kept = progress == Progress::Reusable && self.idle.keeps();
        if progress == Progress::Unfinished || (kept && close) {
            return;
        }
        if let Some((open, place)) = self.inner.take() {
            if progress == Progress::Reusable {
                self.idle.put(place.target(), open);
            } else {
                drop(open);
            }
            drop(place);
        }
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Socket>> {
        match &mut self.inner {
            Some((open, _)) => Ok(Pin::new(&mut open.socket)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some((open, place)) = self.inner.take()
            && self.written
            // Without a runtime the process is shutting down.
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let abandoned = Increment::new(&self.metrics.abandoned);
            let limit = self.abandoned_timeout;
            runtime.spawn(async move {
                let _ = timeout(limit, wait_for_worker(open)).await;
                drop((place, abandoned));
            });
        }
    }
}

/// Returns when the worker has closed the connection or written to it. Closing it then ends the script at its next write.
async fn wait_for_worker(mut open: Open) {
    // A script that reads sees the end of its input.
    let _ = open.socket.shutdown().await;
    let _ = open.socket.read(&mut [0; 1]).await;
    let _ = open.socket.reset_when_closed();
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.socket()?.poll_read(cx, buf))?;
        count(&self.metrics.received, buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.socket()?.poll_write(cx, buf))?;
        self.sent(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.socket()?.poll_write_vectored(cx, slices))?;
        self.sent(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl Connection {
    fn sent(&mut self, written: usize) -> Poll<io::Result<usize>> {
        self.written = true;
        count(&self.metrics.sent, written);
        Poll::Ready(Ok(written))
    }
}

fn count(counter: &IntCounter, bytes: usize) {
    counter.inc_by(bytes as u64);
}
