//! Counts the open calls of a connection, to find out when it is idle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The open calls of one connection.
#[derive(Clone, Debug)]
pub(crate) struct OpenCalls(Arc<OpenCount>);

#[derive(Debug)]
struct OpenCount {
    count: AtomicUsize,
    /// When the last call ended.
    last: Mutex<Instant>,
}

impl Default for OpenCalls {
    fn default() -> Self {
        Self(Arc::new(OpenCount {
            count: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
        }))
    }
}

impl OpenCalls {
    /// Counts a call until the value is dropped.
    pub(crate) fn begin(&self) -> OpenCall {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        OpenCall(Arc::clone(&self.0))
    }

    /// Returns when no call has been open for `limit`. It polls now and then, so that calls need not wake it.
    pub(crate) async fn idle(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let since = match self.0.count.load(Ordering::Relaxed) {
                0 => *self.0.last.lock().unwrap_or_else(PoisonError::into_inner),
                _ => now,
            };
            match since.checked_add(limit) {
                Some(end) if end > now => sleep_until(end).await,
                Some(_) => return,
                None => std::future::pending().await,
            }
        }
    }
}

/// An open call.
#[derive(Debug)]
pub(crate) struct OpenCall(Arc<OpenCount>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, pause};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_for_the_limit_after_its_last_call() {
        const LIMIT: Duration = Duration::from_secs(10);
        pause();
        let calls = OpenCalls::default();
        let call = calls.begin();
        let mut idle = std::pin::pin!(calls.idle(LIMIT));
        assert!(futures_util::poll!(&mut idle).is_pending());
        advance(LIMIT * 3 / 2).await;
        drop(call);
        assert!(futures_util::poll!(&mut idle).is_pending());
        let ended = Instant::now();
        idle.await;
        assert!(ended.elapsed() >= LIMIT && ended.elapsed() <= LIMIT * 2);
    }
}
