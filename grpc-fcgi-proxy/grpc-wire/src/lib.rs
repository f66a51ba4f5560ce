//! gRPC over HTTP/2 as bytes and header fields: messages, metadata, timeouts, statuses.
//!
//! [PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). Nothing here does I/O.

pub mod encoding;
pub mod frame;
pub mod message;
pub mod metadata;
pub mod status;
pub mod timeout;
