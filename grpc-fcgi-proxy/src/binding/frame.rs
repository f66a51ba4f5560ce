//! The flags of the frames between the proxy and a streaming script, besides those of gRPC's own messages.
//!
//! The content of these frames is plain. gRPC's flag COMPRESSED says to PHP that the client compressed the message, and
//! asks the proxy to compress a message from PHP.

/// From PHP: a load report of the whole server, which the client does not get.
pub(crate) const SERVER_LOAD: u8 = 0x20;
/// From PHP: no operation. It lets the header fields go out before the first message, and lets a script that only waits
/// find out whether its client has gone.
pub(crate) const NOOP: u8 = 0x40;
/// To PHP: the client has gone, the deadline has expired, or the proxy shuts down. The opposite direction of [`TRAILERS`] shares the flag.
pub(crate) const CANCELLED: u8 = 0x80;
/// From PHP: the trailers, as header fields in gRPC-Web's form. They end the answer.
pub const TRAILERS: u8 = 0x80;
