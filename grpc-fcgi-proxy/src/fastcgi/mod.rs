//! The FastCGI client: records and name-value pairs as pure bytes, one exchange over a connection, and the pool
//! that bounds how many there are and shares them among the targets.
//!
//! [FastCGI 1.0](https://fastcgi-archives.github.io/FastCGI_Specification.html). The proxy is always the web
//! server's side, in the role of a Responder's client, with one exchange on a connection.

pub mod connection;
pub mod exchange;
mod idle;
pub mod pair;
pub mod pool;
mod queue;
pub mod record;
mod segments;
pub mod socket;
pub mod target;
