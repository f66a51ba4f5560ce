//! The limits on resident workers and their calls.

use std::time::Duration;

use crate::share::Share;

/// The limits of one script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResidentLimits {
    /// Workers at each php-fpm.
    pub(crate) workers: usize,
    /// Streaming calls in each worker.
    pub(crate) streams: usize,
    /// Calls in the queue.
    pub(crate) max_waiting: usize,
    /// What one connection may hold of the calls in the queue, and of the streaming calls.
    pub(crate) share: Share,
    /// How long a call may stay in the queue.
    pub(crate) max_wait: Duration,
    /// How long a streaming call waits for another one to end.
    pub(crate) max_stream_wait: Duration,
    /// The bytes of a unary answer that are kept; a longer one fails its call.
    pub(crate) answer: usize,
    /// The calls after which a worker is replaced.
    pub(crate) max_calls: Option<u64>,
    /// The age at which a worker is replaced.
    pub(crate) max_age: Option<Duration>,
    /// The memory in bytes at which a worker retires; 0 for no limit.
    pub(crate) max_memory: u64,
    /// How long a cancelled call may run on before its worker is given up.
    pub(crate) stuck_timeout: Duration,
    /// How long the streaming calls of a worker that is being replaced may run on.
    pub(crate) drain_timeout: Duration,
    /// How long a script may boot.
    pub(crate) boot_timeout: Duration,
}
