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
use super::target::Target;

/// The kept connections of each target, the youngest last.
#[derive(Debug)]
pub(super) struct IdleConnections {
    keep: Duration,
    connections: Mutex<Vec<OfTarget>>,
}

#[derive(Debug)]
struct OfTarget {
    target: Arc<Target>,
    kept: Vec<Kept>,
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
    pub(super) fn new(keep: Duration) -> Arc<Self> {
        let idle = Arc::new(Self {
            keep,
            connections: Mutex::default(),
        });
        if idle.keeps() {
            tokio::spawn(close_expired(Arc::downgrade(&idle), keep));
        }
        idle
    }

    pub(super) fn keeps(&self) -> bool {
        !self.keep.is_zero()
    }

    /// Keeps connections to these targets only.
    pub(super) fn set_targets(&self, targets: Vec<Arc<Target>>) {
        let mut connections = self.lock();
        let mut before = std::mem::take(&mut *connections);
        connections.extend(targets.into_iter().map(|target| {
            let same = before
                .iter_mut()
                .find(|of| Arc::ptr_eq(&of.target, &target));
            let kept = same.map(|of| std::mem::take(&mut of.kept));
            OfTarget {
                target,
                kept: kept.unwrap_or_default(),
            }
        }));
    }

    /// Takes a connection that is still open.
    pub(super) async fn take(&self, target: &Arc<Target>) -> Option<Open> {
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
    fn pop(&self, target: &Arc<Target>, thread: ThreadId) -> Option<Kept> {
        let mut connections = self.lock();
        let kept = kept_of(&mut connections, target)?;
        match kept.iter().rposition(|kept| kept.thread == thread) {
            Some(own) => Some(kept.remove(own)),
            None => kept.pop(),
        }
    }

    /// Keeps a connection, if connections are kept at all.
    pub(super) fn put(&self, target: &Arc<Target>, open: Open) {
        if self.keeps()
            && let Some(kept) = kept_of(&mut self.lock(), target)
        {
            kept.push(Kept {
                open,
                until: Instant::now() + self.keep,
                thread: thread::current().id(),
            });
        }
    }

    /// Closes a target's oldest connection.
    pub(super) fn close_one(&self, target: &Arc<Target>) {
        if let Some(kept) = kept_of(&mut self.lock(), target)
            && !kept.is_empty()
        {
            kept.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OfTarget>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept_of<'a>(connections: &'a mut [OfTarget], target: &Arc<Target>) -> Option<&'a mut Vec<Kept>> {
    let of = connections
        .iter_mut()
        .find(|of| Arc::ptr_eq(&of.target, target))?;
    Some(&mut of.kept)
}

async fn close_expired(idle: Weak<IdleConnections>, keep: Duration) {
    loop {
        sleep(keep / 2).await;
        let Some(idle) = idle.upgrade() else { return };
        let now = Instant::now();
        for of in idle.lock().iter_mut() {
            of.kept.retain(|kept| kept.until > now);
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

    fn idle_connections() -> (Arc<IdleConnections>, Arc<Target>) {
        let (idle, target) = (
            IdleConnections::new(KEEP),
            Arc::new(Target::Unix("/fpm.sock".into())),
        );
        idle.set_targets(vec![Arc::clone(&target)]);
        (idle, target)
    }

    /// A kept connection that belongs to another thread's runtime, and its peer.
    fn kept_elsewhere(idle: &Arc<IdleConnections>, target: &Arc<Target>) -> UnixStream {
        let (idle, target) = (Arc::clone(idle), Arc::clone(target));
        let (runtime, far) = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let entered = runtime.enter();
            let (near, far) = UnixStream::pair().unwrap();
            let metrics = Metrics::new().unwrap().pool;
            idle.put(&target, Open::new(near.into(), &metrics));
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
        let (idle, target) = idle_connections();
        let mut far = kept_elsewhere(&idle, &target);
        let mut open = idle.take(&target).await.unwrap();
        far.write_all(b"hi").await.unwrap();
        let mut read = [0; 2];
        // The runtime that it came from is gone.
        open.socket.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hi");
        assert!(idle.take(&target).await.is_none());
    }

    #[tokio::test]
    async fn a_closed_connection_is_not_reused() {
        let (idle, target) = idle_connections();
        drop(kept_elsewhere(&idle, &target));
        assert!(idle.take(&target).await.is_none());
    }

    #[tokio::test]
    async fn connections_to_a_removed_target_are_closed_and_no_longer_kept() {
        let (idle, target) = idle_connections();
        let mut far = kept_elsewhere(&idle, &target);
        idle.set_targets(Vec::new());
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
        let mut far = kept_elsewhere(&idle, &target);
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    }
}
