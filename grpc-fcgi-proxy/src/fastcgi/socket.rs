//! A socket to php-fpm that needs few system calls for a short exchange.
//!
//! On the same machine, a connection is established at once and accepts a request at once. The runtime would ask its
//! driver about both before the first byte is sent.

use std::io::{self, IoSlice, Read};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use socket2::{Domain, SockAddr, SockRef, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A socket to php-fpm.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    writes: Writes,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// How often the socket was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Never,
    /// A small first write is sent at once even with TCP's delay, since nothing is unacknowledged.
    Once,
    /// On TCP, without the delay.
    Several,
}

impl Socket {
    pub(super) async fn tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = connect_tcp(address).await?;
        Ok(Self::new(Stream::Tcp(stream)))
    }

    /// Fails with `WouldBlock` if the backlog is full.
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(UnixStream::from_std(socket.into())?.into())
    }

    fn new(stream: Stream) -> Self {
        Self {
            stream,
            writes: Writes::Never,
        }
    }

    /// The address of this end, of a TCP connection.
    pub(crate) fn local_ip(&self) -> io::Result<IpAddr> {
        match &self.stream {
            Stream::Tcp(stream) => Ok(stream.local_addr()?.ip()),
            Stream::Unix(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// Whether the peer is on the same machine, so that what it has written is here.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.stream, Stream::Unix(_))
    }

    /// Ends both directions, and reads what has arrived. Returns whether the peer has written nothing else.
    pub(crate) fn shut_down(&self, arrived: &mut impl BufMut) -> bool {
        let Stream::Unix(stream) = &self.stream else {
            return false;
        };
        let socket = SockRef::from(stream);
        if socket.shutdown(Shutdown::Both).is_err() {
            return false;
        }
        let mut buffer = [0; 4096];
        loop {
            match (&*socket).read(&mut buffer) {
                Ok(0) => return true,
                Ok(length) => arrived.put_slice(&buffer[..length]),
                Err(_) => return false,
            }
        }
    }

    /// Detaches the socket from the current runtime, for another thread to register it with its own.
    pub(crate) fn into_std(self) -> io::Result<StdSocket> {
        Ok(match self.stream {
            Stream::Tcp(stream) => StdSocket::Tcp(stream.into_std()?),
            Stream::Unix(stream) => StdSocket::Unix(stream.into_std()?),
        })
    }

    /// Registers the socket with the current thread's runtime. Fails if the socket has become readable, which the runtime
    /// would report too late.
    pub(super) fn moved_here(self) -> io::Result<Self> {
        let stream = match self.stream {
            Stream::Tcp(stream) => {
                let stream = stream.into_std()?;
                check_silent(&stream)?;
                Stream::Tcp(TcpStream::from_std(stream)?)
            }
            Stream::Unix(stream) => {
                let stream = stream.into_std()?;
                check_silent(&stream)?;
                Stream::Unix(UnixStream::from_std(stream)?)
            }
        };
        Ok(Self { stream, ..self })
    }

    /// Makes the peer's next write fail after a close. TCP would otherwise accept it.
    pub(super) fn reset_when_closed(&self) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.set_zero_linger(),
            Stream::Unix(_) => Ok(()),
        }
    }

    /// Does not ask the runtime whether the socket is writable. Returns `None` if the write has to ask.
    fn write_first(&mut self, slices: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        if self.writes != Writes::Never {
            return None;
        }
        self.writes = Writes::Once;
        let socket = match &self.stream {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
        };
        let written = socket.send_vectored(slices);
        Some(written).filter(|written| !is_would_block(written))
    }

    /// Later writes must not wait for the acknowledgement of earlier ones.
    fn set_no_delay(&mut self) -> io::Result<()> {
        match (self.writes, &self.stream) {
            (Writes::Once, Stream::Tcp(stream)) => {
                self.writes = Writes::Several;
                stream.set_nodelay(true)
            }
            _ => Ok(()),
        }
    }
}

/// A socket without a runtime.
#[derive(Debug)]
pub(crate) enum StdSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl StdSocket {
    /// Registers the socket with the current thread's runtime.
    pub(crate) fn register(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => TcpStream::from_std(stream)?.into(),
            Self::Unix(stream) => UnixStream::from_std(stream)?.into(),
        })
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::new(Stream::Tcp(stream))
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::new(Stream::Unix(stream))
    }
}

async fn connect_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::STREAM.nonblocking(), None)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    let stream = TcpStream::from_std(socket.into())?;
    // A connected socket has a peer.
    if stream.peer_addr().is_err() {
        stream.writable().await?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
    }
    Ok(stream)
}

fn is_would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn check_silent(mut socket: impl Read) -> io::Result<()> {
    let read = socket.read(&mut [0; 1]);
    if is_would_block(&read) {
        return Ok(());
    }
    read.and(Err(io::ErrorKind::UnexpectedEof.into()))
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(written) = self.write_first(slices) {
            return Poll::Ready(written);
        }
        self.set_no_delay()?;
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn a_first_write_waits_while_the_socket_is_full() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut near = near.into_std().unwrap();
        let mut full = 0;
        while let Ok(written) = io::Write::write(&mut near, &[b'x'; 4096]) {
            full += written;
        }
        let mut socket = Socket::from(UnixStream::from_std(near).unwrap());
        let mut write = Box::pin(socket.write_all(b"first"));
        assert!(futures_util::poll!(&mut write).is_pending());
        let mut read = vec![0; full + 5];
        let (written, _) = tokio::join!(write, far.read_exact(&mut read));
        written.unwrap();
        assert!(read.ends_with(b"xfirst"));
    }

    #[tokio::test]
    async fn tcp_has_no_delay_from_the_second_write_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut socket = Socket::tcp(address).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        for (write, nodelay) in [("one", false), ("two", true), ("three", true)] {
            socket.write_all(write.as_bytes()).await.unwrap();
            let Stream::Tcp(stream) = &socket.stream else {
                panic!("not TCP");
            };
            assert_eq!(stream.nodelay().unwrap(), nodelay, "{write}");
        }
        let mut read = [0; 11];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"onetwothree");
    }

    #[tokio::test]
    async fn a_slow_connection_is_awaited() {
        let listener = TcpSocket::new_v4().unwrap();
        listener.bind(([127, 0, 0, 1], 0).into()).unwrap();
        // A backlog of one: the kernel drops the second connection's SYN, which is sent again after a second.
        let listener = listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let _first = Socket::tcp(address).await.unwrap();
        let mut second = Box::pin(Socket::tcp(address));
        assert!(futures_util::poll!(&mut second).is_pending());
        listener.accept().await.unwrap();
        let (second, accepted) = tokio::join!(second, listener.accept());
        second.unwrap().write_all(b"x").await.unwrap();
        assert_eq!(accepted.unwrap().0.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn without_a_listener_the_connection_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Socket::tcp(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = Socket::unix(Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
