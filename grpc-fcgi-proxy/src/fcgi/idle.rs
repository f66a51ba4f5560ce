//! Connections that are kept for the next exchange, each for a short time: as long as one is kept, its worker can
//! serve nobody else.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, sleep};

use super::connection::Open;

/// The kept connections of all targets, for each the youngest last.
#[derive(Debug)]
pub(super) struct Idle {
    keep: Duration,
    connections: Mutex<Vec<Vec<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    open: Open,
    until: Instant,
}

impl Idle {
    /// Keeps each for so long; none at all if that is zero.
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

    /// The youngest that is still open.
    pub(super) async fn take(&self, target: usize) -> Option<Open> {
        loop {
            let mut kept = self.lock().get_mut(target)?.pop()?;
            if is_silent(&mut kept.open).await {
                return Some(kept.open);
            }
        }
    }

    /// Keeps it, if connections are kept.
    pub(super) fn put(&self, target: usize, open: Open) {
        let until = Instant::now() + self.keep;
        if self.keeps()
            && let Some(kept) = self.lock().get_mut(target)
        {
            kept.push(Kept { open, until });
        }
    }

    /// Closes the oldest of a target's.
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

async fn close_expired(idle: Weak<Idle>, keep: Duration) {
    loop {
        sleep(keep / 2).await;
        let Some(idle) = idle.upgrade() else { return };
        let now = Instant::now();
        for kept in idle.lock().iter_mut() {
            kept.retain(|kept| kept.until > now);
        }
    }
}

/// php-fpm says nothing on its own: what can be read of an idle connection is its end.
async fn is_silent(open: &mut Open) -> bool {
    let mut byte = [0; 1];
    let mut byte = ReadBuf::new(&mut byte);
    poll_fn(|cx| {
        Poll::Ready(
            Pin::new(&mut open.socket)
                .poll_read(cx, &mut byte)
                .is_pending(),
        )
    })
    .await
}
