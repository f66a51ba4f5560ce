//! A trivial FastCGI application with one thread and next to no work of its own, so that a measurement is of what stands
//! in front of it.
//!
//! It answers a unary call with [`answer()`]. Three methods of gRPC's interoperability service differ: FullDuplexCall echoes
//! its input, StreamingOutputCall sends the number of messages that it is asked for, and EmptyCall never answers.

mod answer;
mod exchange;
mod methods;
mod request;

use std::net::SocketAddr;

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

pub(crate) use self::answer::answer;
use self::exchange::Exchanges;
pub(crate) use self::methods::{ECHO, SOURCE, SOURCE_MESSAGE, STALL, UNARY, source_length};

/// Serves until the process ends.
pub(crate) async fn run(listen: &Address) -> anyhow::Result<()> {
    match listen {
        Address::Tcp(address) => {
            let listener = listen_tcp(address.parse()?)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                serve(stream);
            }
        }
        Address::Unix(path) => {
            let listener = UnixListener::bind(path)?;
            loop {
                serve(listener.accept().await?.0);
            }
        }
    }
}

/// With the longest backlog that the system allows: it must not limit what a proxy reaches.
fn listen_tcp(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    // The client reports a connection that breaks.
    tokio::spawn(async move { Exchanges::new(stream).run().await.ok() });
}
