//! Why a call has no answer of a resident worker.

use crate::fastcgi::pair::PairTooLong;
use crate::waiting::QueueError;

/// A call that no worker answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResidentError {
    /// No worker has got anything of the call. So in the next case.
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Variables(#[from] PairTooLong),
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why a call that waits or runs fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The deadline expired before a worker got the call.
    #[error("the deadline has expired")]
    Expired,
    #[error("no resident worker is ready, and none is coming")]
    NoWorkers,
    #[error("the call ran on in a resident worker that is being replaced")]
    Replaced,
    #[error("the resident worker ended before it answered")]
    NoAnswer,
    #[error("the resident worker ended before its answer was complete")]
    CutShort,
}
