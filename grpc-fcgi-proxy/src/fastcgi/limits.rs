//! The limits of the pool, and how a call fails that exceeds them.

use std::time::Duration;

use super::target::ConnectError;
use crate::share::Share;
use crate::waiting::QueueError;

/// The limits of the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    /// Concurrent exchanges with each target.
    pub(crate) max_exchanges: usize,
    /// Concurrent streaming calls among them.
    pub(crate) max_streams: usize,
    /// Calls in the queue.
    pub(crate) max_waiting: usize,
    /// What one connection may hold of the calls in the queue, and of the streaming calls.
    pub(crate) share: Share,
    /// How long a call may stay in the queue.
    pub(crate) max_wait: Duration,
    /// How long a streaming call waits for another one to end.
    pub(crate) max_stream_wait: Duration,
    /// How long an abandoned exchange keeps its place.
    pub(crate) abandoned_timeout: Duration,
    /// How long an idle connection is kept.
    pub(crate) keep_alive: Duration,
}

/// Why a call has no connection. No script has received any part of the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PoolError {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
