//! gRPC over HTTP/2 as bytes and header fields, without any I/O: shared by the proxy and the services.
//!
//! [PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

pub mod content_type;
pub mod count;
pub mod encoding;
pub mod frame;
pub mod message;
pub mod metadata;
pub mod method;
pub mod status;
pub mod timeout;
pub mod trace;
