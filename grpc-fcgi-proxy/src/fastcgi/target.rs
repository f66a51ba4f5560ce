//! Where a php-fpm listens, and the way to connect to it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::socket::Socket;

/// A connection is made within this time, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two tries at a Unix socket whose backlog is full.
const FULL_BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// Where php-fpm listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `host:port`.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

/// Why there is no connection. Nothing has been sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// php-fpm can't be reached.
    #[error("cannot connect to the application: {0}")]
    Failed(#[source] io::Error),
    /// More connections wait for php-fpm than it allows (`listen.backlog`).
    #[error("the application's queue of connections is full")]
    FullBacklog,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Target {
    /// Connects within the time that a connection may take.
    ///
    /// # Errors
    ///
    /// If php-fpm is not there, or its backlog stays full until `give_up`.
    pub async fn connect(&self, give_up: Instant) -> Result<Socket, ConnectError> {
        loop {
            match timeout(CONNECT_TIMEOUT, self.try_connect()).await {
                Ok(Ok(socket)) => return Ok(socket),
                // A Unix socket's way to say that its backlog is full. Nothing was sent, so another try is safe.
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
            Self::Tcp(address) => Socket::tcp(address).await,
            Self::Unix(path) => Socket::unix(path),
        }
    }
}
