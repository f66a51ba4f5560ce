//! What a request came to.

use std::fmt;

use http::StatusCode;

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The expected response.
    Ok,
    /// An item has run out: an answer to an order as good as any.
    OutOfStock,
    /// The shop protects itself from too many writes (429).
    Limited,
    /// A user would have noticed.
    Failed(Failure),
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Too many others were in flight: it was not made.
    Dropped,
    /// No connection.
    Connect,
    /// No response in time.
    Timeout,
    /// The connection ended before the response had.
    Aborted,
    /// The response had this HTTP status.
    Status(u16),
    /// The response had the status 200, and not what belongs to it.
    Wrong,
}

impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Self {
        Self::Status(status.as_u16())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped => f.write_str("dropped"),
            Self::Connect => f.write_str("not connected"),
            Self::Timeout => f.write_str("timed out"),
            Self::Aborted => f.write_str("aborted"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Wrong => f.write_str("wrong response"),
        }
    }
}
