//! Why the application has no answer, whatever way it runs.

use std::error::Error;

use crate::binding::head::HeadError;
use crate::binding::route::Unresolved;
use crate::fastcgi::exchange::ExchangeError;
use crate::fastcgi::limits::PoolError;
use crate::fastcgi::pair::PairTooLong;
use crate::fastcgi::record::RecordError;
use crate::resident::{Failure, ResidentError};
use crate::waiting::QueueError;

/// What the log says besides.
type Cause = Box<dyn Error + Send + Sync>;

/// A call that the application did not answer, or not with valid header fields.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplicationError {
    /// No script has seen anything of the call. Nor in the next five cases.
    #[error("the deadline has expired")]
    DeadlineExpired,
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("no resident worker is ready, and none is coming")]
    NoWorkers,
    #[error("{0}")]
    Unreachable(#[source] Cause),
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The client's metadata, or a configured path, is too long.
    #[error("{0}")]
    VariablesTooLong(#[source] Cause),
    /// A script may have run. So in the next four cases.
    #[error("the call ran on in a resident worker that is being replaced")]
    WorkerReplaced,
    #[error("{0}")]
    NoAnswer(#[source] Cause),
    #[error("{0}")]
    Refused(#[source] Cause),
    #[error("{0}")]
    CutShort(#[source] Cause),
    #[error("{0}")]
    Malformed(#[source] Cause),
}

impl From<PoolError> for ApplicationError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Queue(error) => error.into(),
            PoolError::Connect(error) => Self::Unreachable(error.into()),
        }
    }
}

impl From<ResidentError> for ApplicationError {
    fn from(error: ResidentError) -> Self {
        match error {
            ResidentError::Queue(error) => error.into(),
            ResidentError::Variables(error) => error.into(),
            ResidentError::Failure(Failure::Expired) => Self::DeadlineExpired,
            ResidentError::Failure(Failure::NoWorkers) => Self::NoWorkers,
            ResidentError::Failure(Failure::Replaced) => Self::WorkerReplaced,
            ResidentError::Failure(Failure::NoAnswer) => Self::NoAnswer(error.into()),
            ResidentError::Failure(Failure::CutShort) => Self::CutShort(error.into()),
        }
    }
}

impl From<PairTooLong> for ApplicationError {
    fn from(error: PairTooLong) -> Self {
        Self::VariablesTooLong(error.into())
    }
}

impl From<ExchangeError> for ApplicationError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::NoAnswer | ExchangeError::Io(_) => Self::NoAnswer(error.into()),
            ExchangeError::Record(RecordError::Refused(_)) => Self::Refused(error.into()),
            ExchangeError::CutShort => Self::CutShort(error.into()),
            ExchangeError::Record(_) => Self::Malformed(error.into()),
        }
    }
}

impl From<HeadError> for ApplicationError {
    fn from(error: HeadError) -> Self {
        Self::Malformed(error.into())
    }
}
