//! A connection that an exchange has for itself, and what becomes of it.
//!
//! When its exchange came to the end, it is released: closed, or kept for the next exchange. When it did not, a worker
//! may be busy with it still, and php-fpm has no way to tell: so the place is held until the worker ends the
//! connection, or writes. It is closed then, so that the next write of the script fails.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::exchange::Progress;
use super::idle::Idle;
use super::queue::Place;
use super::socket::Socket;
use crate::metrics::{Increment, PoolMetrics};

/// A socket that is counted while it is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) socket: Socket,
    _open: Increment,
}

impl Open {
    pub(super) fn new(socket: Socket, metrics: &PoolMetrics) -> Self {
        Self {
            socket,
            _open: Increment::new(&metrics.connections),
        }
    }

    /// Has this thread's runtime tell what happens to it.
    pub(super) fn moved_here(self) -> io::Result<Self> {
        let socket = self.socket.moved_here()?;
        Ok(Self { socket, ..self })
    }
}

/// A connection that has its place in the pool.
#[derive(Debug)]
pub struct Connection {
    /// `None` once it is released.
    inner: Option<(Open, Place)>,
    idle: Arc<Idle>,
    metrics: PoolMetrics,
    /// How long an abandoned exchange is waited for.
    abandoned_timeout: Duration,
    /// Whether the application may have begun to work.
    written: bool,
}

impl Connection {
    pub(super) fn new(
        open: Open,
        place: Place,
        idle: Arc<Idle>,
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

    /// Closes it, or keeps it for the next exchange, if its own has come to the end.
    pub fn release(mut self, progress: Progress) {
        if progress == Progress::Unfinished {
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
            // Without a runtime the process is about to end.
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

/// Until the worker that has this connection shows that it is done with it, or ends as soon as it writes again.
async fn wait_for_worker(mut open: Open) {
    // A script that reads learns that nothing more will come.
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
