//! Runs PHP for a call. This is the seam of the proxy: a call passes in variables and requests, and reads answers, and
//! need not know about FastCGI.
//!
//! There are two implementations: a FastCGI exchange for each call, and resident workers.

mod answers;
mod error;
mod exchanges;

pub(crate) use self::answers::Answers;
pub(crate) use self::error::ApplicationError;
pub(crate) use self::exchanges::Application;
pub use self::exchanges::encode_opening;
