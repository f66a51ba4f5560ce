//! The address of a php-fpm, and how to connect to it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::socket::Socket;

/// How long a connection may take to be established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two attempts to connect to a Unix socket with a full backlog.
const FULL_BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// The address of a php-fpm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a socket.
    Unix(PathBuf),
    /// `host:port` with a name for which no address has been found yet.
    Unresolved(String),
}

/// Why connecting failed. Nothing has been sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// php-fpm is unreachable.
    #[error("cannot connect to the application: {0}")]
    Failed(#[source] io::Error),
    /// More connections wait than `listen.backlog` allows.
    #[error("the application's backlog is full")]
    FullBacklog,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unresolved(name) => write!(f, "tcp://{name}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Target {
    /// Connects. A full backlog is retried until `give_up`.
    ///
    /// # Errors
    ///
    /// If php-fpm is unreachable, or its backlog stays full.
    pub async fn connect(&self, give_up: Instant) -> Result<Socket, ConnectError> {
        loop {
            match timeout(CONNECT_TIMEOUT, self.try_connect()).await {
                Ok(Ok(socket)) => return Ok(socket),
                // The backlog of a Unix socket is full. Nothing was sent, so a retry is safe.
                Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let next = Instant::now() + FULL_BACKLOG_PAUSE;
                    if next > give_up {
                        return Err(ConnectError::FullBacklog);
                    }
                    sleep_until(next).await;
                }
                Ok(Err(error)) => return Err(ConnectError::Failed(error)),
                Err(elapsed) => return Err(ConnectError::Failed(elapsed.into())),
            }
        }
    }

    async fn try_connect(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(address) => Socket::tcp(*address).await,
            Self::Unix(path) => Socket::unix(path),
            Self::Unresolved(_) => Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "no address is known for the name yet",
            )),
        }
    }
}
