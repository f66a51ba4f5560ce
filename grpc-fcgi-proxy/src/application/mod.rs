//! What runs PHP for a call. This is the seam of the proxy: the calls see variables and requests go in and answers come
//! out, and nothing of how a script gets them.
//!
//! There is one way so far, a FastCGI exchange for each call.

mod answers;
mod error;
mod exchanges;

pub(crate) use self::answers::Answers;
pub(crate) use self::error::ApplicationError;
pub(crate) use self::exchanges::Exchanges as Application;
