//! Why the application has no answer.

use crate::binding::head::HeadError;
use crate::fastcgi::exchange::ExchangeError;
use crate::fastcgi::pair::PairTooLong;
use crate::fastcgi::pool::PoolError;

/// A call that the application did not answer, or not with header fields.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplicationError {
    /// No script has received any part of the call.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The client's metadata, or a configured path, is too long.
    #[error(transparent)]
    PairTooLong(#[from] PairTooLong),
    /// A script may have run.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The script's output is not a valid CGI response.
    #[error(transparent)]
    Head(#[from] HeadError),
}
