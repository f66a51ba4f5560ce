//! The methods that the trivial application tells apart, by path.

/// Echoes each message.
pub(crate) const ECHO: &str = "/grpc.testing.TestService/FullDuplexCall";
/// Streams the number of messages that its request, eight bytes, asks for.
pub(crate) const SOURCE: &str = "/grpc.testing.TestService/StreamingOutputCall";
/// The size of each message of that stream.
pub(crate) const SOURCE_MESSAGE: usize = 64 * 1024;
/// Never answers.
pub(crate) const STALL: &str = "/grpc.testing.TestService/EmptyCall";
/// Answers at once.
pub(crate) const UNARY: &str = "/grpc.testing.TestService/UnaryCall";

/// The number of messages that a request asks a source for.
pub(crate) fn source_length(request: &[u8]) -> u64 {
    u64::from_be_bytes(request.last_chunk::<8>().copied().unwrap_or_default())
}
