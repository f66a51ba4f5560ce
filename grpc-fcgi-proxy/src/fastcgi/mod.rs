//! The FastCGI client: records and name-value pairs as pure bytes, one exchange over a connection, the targets,
//! and the pool that bounds the number of exchanges and shares them among the targets.
//!
//! [FastCGI 1.0](https://fastcgi-archives.github.io/FastCGI_Specification.html). The proxy is the web server, every
//! application a Responder, and a connection carries one exchange at a time.

pub(crate) mod connection;
pub mod endpoint;
pub mod exchange;
mod idle;
pub(crate) mod limits;
mod loads;
mod open;
pub mod pair;
pub(crate) mod pool;
mod queue;
pub mod record;
pub(crate) mod segments;
pub mod socket;
pub mod target;
pub(crate) mod targets;
