//! A trivial FastCGI application: one thread, and next to no work, so that what is in front of it is what is measured.
//!
//! It answers a unary call as [`answer`] says. Of the methods of gRPC's interoperability service it has three that
//! differ: FullDuplexCall gives back each piece of its input, StreamingOutputCall sends as many messages as it is
//! asked for, and EmptyCall never answers.

mod exchange;
mod request;

use std::net::SocketAddr;

use bytes::Bytes;
use grpc_fcgi_proxy::fcgi::target::Target;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use self::exchange::Exchanges;

/// Streams each message back.
pub(crate) const ECHO: &str = "/grpc.testing.TestService/FullDuplexCall";
/// Streams as many messages as its request, a number of eight bytes, says.
pub(crate) const SOURCE: &str = "/grpc.testing.TestService/StreamingOutputCall";
/// Of so many bytes each.
pub(crate) const SOURCE_MESSAGE: usize = 64 * 1024;
/// Never answers.
pub(crate) const STALL: &str = "/grpc.testing.TestService/EmptyCall";
/// Answers at once.
pub(crate) const UNARY: &str = "/grpc.testing.TestService/UnaryCall";

/// A message up to this size has the fixed answer, a larger one comes back.
const SMALL: usize = 64;
/// With the header fields it makes 71 bytes of output.
const FIXED: &[u8] = b"\x0a\x23an answer of always the same size..";
const HEAD: &[u8] = b"Content-Type: application/grpc\r\n\r\n";

/// The message that answers this one.
pub(crate) fn answer(message: Bytes) -> Bytes {
    if message.len() <= SMALL {
        Bytes::from_static(FIXED)
    } else {
        message
    }
}

/// How many messages a source is asked for.
pub(crate) fn source_length(request: &[u8]) -> u64 {
    u64::from_be_bytes(request.last_chunk::<8>().copied().unwrap_or_default())
}

/// Serves until it is ended.
pub(crate) async fn run(listen: &Target) -> anyhow::Result<()> {
    match listen {
        Target::Tcp(address) => {
            let listener = listen_tcp(address.parse()?)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                serve(stream);
            }
        }
        Target::Unix(path) => {
            let listener = UnixListener::bind(path)?;
            loop {
                serve(listener.accept().await?.0);
            }
        }
    }
}

/// With a backlog as long as the system allows: nothing here is to be measured but the proxies.
fn listen_tcp(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    // A connection that breaks is its client's affair.
    tokio::spawn(async move { Exchanges::new(stream).run().await.ok() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_answer_has_71_bytes_and_is_a_message_of_bytes() {
        assert_eq!(HEAD.len() + FIXED.len(), 71);
        let decoded: Bytes = prost::Message::decode(answer(Bytes::from_static(b"\x0a\0"))).unwrap();
        assert_eq!(decoded.len(), FIXED.len() - 2);
    }

    #[test]
    fn a_large_message_comes_back() {
        let message = Bytes::from(vec![1; SMALL + 1]);
        assert_eq!(answer(message.clone()), message);
    }
}
