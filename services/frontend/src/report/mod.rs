//! The report: all users, sorted by id, each with its orders, sorted by id: [`whole`], or page by page ([`page`]).
//! An incomplete report is an error.

mod json;
pub(crate) mod page;
mod position;
pub(crate) mod whole;

use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;
use tonic::Code;

use crate::peers::PeerError;

/// The users that one call requests. They take at most 180 KB.
const USERS: usize = 100;

/// A user with its orders. Both are JSON already, so that the length of a report's text limits what it holds.
#[derive(Debug, Serialize)]
pub(crate) struct ReportEntry {
    user: Box<RawValue>,
    orders: Vec<Box<RawValue>>,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub(crate) enum ReportError {
    /// A call failed.
    #[error(transparent)]
    Peer(PeerError),
    /// The report, or a list of orders that is read for it, exceeds its extent.
    #[error("the report is too large")]
    TooLarge,
    /// As many reports as may be are being built or sent.
    #[error("too many reports at once")]
    Busy,
    /// The page_token is none of the report's.
    #[error("invalid page_token")]
    Token,
    /// A bug: a row has no JSON.
    #[error("cannot encode the report: {0}")]
    Encode(serde_json::Error),
}

impl From<serde_json::Error> for ReportError {
    fn from(error: serde_json::Error) -> Self {
        // The only writer that fails is that of a row.
        if error.is_io() {
            Self::TooLarge
        } else {
            Self::Encode(error)
        }
    }
}

impl From<PeerError> for ReportError {
    fn from(error: PeerError) -> Self {
        match error.status.code() {
            // How tonic names a message that exceeds the limit. No peer sends it.
            Code::OutOfRange => Self::TooLarge,
            _ => Self::Peer(error),
        }
    }
}
