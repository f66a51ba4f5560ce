//! Connections that are kept for the next exchange, each for a short time: an idle connection pins its worker.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, sleep};

use super::open::Open;
use super::socket::Socket;

/// The kept connections of each target, the youngest last.
#[derive(Debug)]
pub(super) struct IdleConnections {
    keep: Duration,
    connections: Mutex<Vec<Vec<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    open: Open,
    until: Instant,
    /// The thread whose runtime the socket is registered with.
    thread: ThreadId,
}

impl IdleConnections {
    /// Connections are kept for `keep`; zero keeps none.
    pub(super) fn new(targets: usize, keep: Duration) -> Arc<Self> {
        let connections = std::iter::repeat_with(Vec::new).take(targets).collect();
        let idle = Arc::new(Self {
            keep,
            connections: Mutex::new(connections),
        });
        if idle.keeps() {
            tokio::spawn(close_expired(Arc::downgrade(&idle), keep));
        }
        idle
    }

    pub(super) fn keeps(&self) -> bool {
        !self.keep.is_zero()
    }

    /// Takes a connection that is still open.
    pub(super) async fn take(&self, target: usize) -> Option<Open> {
        let here = thread::current().id();
        loop {
            let Kept { open, thread, .. } = self.pop(target, here)?;
            let open = if thread == here {
                Ok(open)
            } else {
                open.moved_here()
            };
            if let Ok(mut open) = open
                && is_silent(&mut open.socket).await
            {
                return Some(open);
            }
        }
    }

    /// The youngest connection of this thread, or else of all.
    fn pop(&self, target: usize, thread: ThreadId) -> Option<Kept> {
        let mut connections = self.lock();
        let kept = connections.get_mut(target)?;
        match kept.iter().rposition(|kept| kept.thread == thread) {
            Some(own) => Some(kept.remove(own)),
            None => kept.pop(),
        }
    }

    /// Keeps a connection, if connections are kept at all.
    pub(super) fn put(&self, target: usize, open: Open) {
        if self.keeps()
            && let Some(kept) = self.lock().get_mut(target)
        {
            kept.push(Kept {
                open,
                until: Instant::now() + self.keep,
                thread: thread::current().id(),
            });
        }
    }

    /// Closes a target's oldest connection.
    pub(super) fn close_one(&self, target: usize) {
        if let Some(kept) = self.lock().get_mut(target)
            && !kept.is_empty()
        {
            kept.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Kept>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close_expired(idle: Weak<IdleConnections>, keep: Duration) {
    loop {
        sleep(keep / 2).await;
        let Some(idle) = idle.upgrade() else { return };
        let now = Instant::now();
        for kept in idle.lock().iter_mut() {
            kept.retain(|kept| kept.until > now);
        }
    }
}

/// php-fpm sends nothing between exchanges, so a readable idle connection has been closed.
async fn is_silent(socket: &mut Socket) -> bool {
    let mut byte = [0; 1];
    let mut byte = ReadBuf::new(&mut byte);
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *socket).poll_read(cx, &mut byte).is_pending())).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;
    use crate::metrics::registry::Metrics;

    const KEEP: Duration = Duration::from_secs(60);

    /// A kept connection that belongs to another thread's runtime, and its peer.
    fn kept_elsewhere(idle: &Arc<IdleConnections>) -> UnixStream {
        let idle = Arc::clone(idle);
        let (runtime, far) = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let entered = runtime.enter();
            let (near, far) = UnixStream::pair().unwrap();
            let metrics = Metrics::new().unwrap().pool;
            idle.put(0, Open::new(near.into(), &metrics));
            drop(entered);
            (runtime, far.into_std().unwrap())
        })
        .join()
        .unwrap();
        runtime.shutdown_background();
        UnixStream::from_std(far).unwrap()
    }

    #[tokio::test]
    async fn a_connection_of_another_thread_is_moved_to_this_one() {
        let idle = IdleConnections::new(1, KEEP);
        let mut far = kept_elsewhere(&idle);
        let mut open = idle.take(0).await.unwrap();
        far.write_all(b"hi").await.unwrap();
        let mut read = [0; 2];
        // The runtime that it came from is gone.
        open.socket.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hi");
        assert!(idle.take(0).await.is_none());
    }

    #[tokio::test]
    async fn a_closed_connection_is_not_reused() {
        let idle = IdleConnections::new(1, KEEP);
        drop(kept_elsewhere(&idle));
        assert!(idle.take(0).await.is_none());
    }
}
