//! Where resident workers connect to, and which connection is a worker's: only who knows the secret of a launch.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::folder::{Files, is_dead, private_folder};
use super::frame::{HELLO_LENGTH, Hello, SECRET_LENGTH};
use crate::fastcgi::endpoint::Endpoint;
use crate::fastcgi::socket::Socket;
use crate::lookup::lookup;

/// Connections that have not sent HELLO yet. A further one ends the oldest: a worker sends it at once.
const MAX_UNKNOWN: usize = 64;
/// How long HELLO may take.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Secret = [u8; SECRET_LENGTH];

/// A worker that has said HELLO.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) socket: Socket,
    pub(super) pid: u32,
}

/// The launches whose workers have not connected yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected(Arc<Mutex<Launches>>);

type Launches = Vec<(Secret, oneshot::Sender<Connected>)>;

/// A launch whose worker has not connected yet. Its secret is worth nothing when this is dropped.
#[derive(Debug)]
pub(super) struct Expectation {
    expected: Expected,
    pub(super) secret: Secret,
    pub(super) connected: oneshot::Receiver<Connected>,
}

impl Expected {
    /// Expects a worker with a new secret.
    pub(super) fn expect(&self) -> io::Result<Expectation> {
        let secret = random_digits()?;
        let (sender, connected) = oneshot::channel();
        self.lock().push((secret, sender));
        Ok(Expectation {
            expected: self.clone(),
            secret,
            connected,
        })
    }

    /// Removes the launch of that secret. How long this takes reveals nothing of the other secrets.
    fn take(&self, secret: &Secret) -> Option<oneshot::Sender<Connected>> {
        let mut expected = self.lock();
        let mut found = None;
        for (index, (own, _)) in expected.iter().enumerate() {
            if bool::from(own.ct_eq(secret)) {
                found = Some(index);
            }
        }
        found.map(|index| expected.swap_remove(index).1)
    }

    fn lock(&self) -> MutexGuard<'_, Launches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        drop(self.expected.take(&self.secret));
    }
}

/// Of the folder's name: the path of a socket has at most 107 bytes.
const FOLDER_DIGITS: usize = 16;

/// 256 random bits.
fn random_digits() -> io::Result<Secret> {
    let mut random = [0; SECRET_LENGTH / 2];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut digits = [0; SECRET_LENGTH];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(random) {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
    }
    Ok(digits)
}

/// The listener of resident workers.
#[derive(Debug)]
pub(crate) struct WorkerListener {
    listener: Bound,
    /// Removed at the end.
    files: Option<Files>,
}

#[derive(Debug)]
enum Bound {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener, SocketAddr),
}

impl WorkerListener {
    /// Binds the address, by default a Unix socket in a directory of its own.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(crate) async fn bind(address: Option<&Endpoint>) -> io::Result<Self> {
        match address {
            None => {
                let (path, files) = private_folder(&random_digits()?[..FOLDER_DIGITS])?;
                Self::unix(&path, files)
            }
            Some(Endpoint::Unix(path)) => {
                if is_dead(path) {
                    fs::remove_file(path)?;
                }
                Self::unix(path, Files(path.clone()))
            }
            Some(Endpoint::Tcp(address)) => {
                let addresses = match address.parse::<SocketAddr>() {
                    Ok(address) => vec![address],
                    Err(_) => lookup(address.clone()).await?,
                };
                let listener = TcpListener::bind(addresses.as_slice()).await?;
                let bound = listener.local_addr()?;
                Ok(Self {
                    listener: Bound::Tcp(listener, bound),
                    files: None,
                })
            }
        }
    }

    fn unix(path: &Path, files: Files) -> io::Result<Self> {
        let listener = UnixListener::bind(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        // The worker's user is another one. Who may connect has to know the secret.
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
        Ok(Self {
            listener: Bound::Unix(listener, path.to_owned()),
            files: Some(files),
        })
    }

    /// The value of GRPC_RESIDENT_ADDRESS for a worker of a php-fpm that sees the proxy at `own`.
    pub(super) fn address(&self) -> WorkerAddress {
        match &self.listener {
            Bound::Unix(_, path) => WorkerAddress::Fixed(format!("unix://{}", path.display())),
            Bound::Tcp(_, address) if address.ip().is_unspecified() => {
                WorkerAddress::Port(address.port())
            }
            Bound::Tcp(_, address) => WorkerAddress::Fixed(format!("tcp://{address}")),
        }
    }

    /// Accepts workers, forever.
    pub(super) async fn accept(self, expected: Expected) {
        let mut unknown = VecDeque::<AbortHandle>::with_capacity(MAX_UNKNOWN);
        // Held to the end.
        let _files = self.files;
        loop {
            let accepted = match &self.listener {
                Bound::Unix(listener, _) => listener.accept().await.map(|(s, _)| Socket::from(s)),
                Bound::Tcp(listener, _) => listener.accept().await.map(|(s, _)| Socket::from(s)),
            };
            match accepted {
                Ok(socket) => {
                    unknown.retain(|admission| !admission.is_finished());
                    if unknown.len() == MAX_UNKNOWN
                        && let Some(oldest) = unknown.pop_front()
                    {
                        oldest.abort();
                    }
                    let expected = expected.clone();
                    let admission = tokio::spawn(async move { admit(socket, &expected).await });
                    unknown.push_back(admission.abort_handle());
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a resident worker");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn admit(mut socket: Socket, expected: &Expected) {
    let Some(hello) = read_hello(&mut socket).await else {
        return;
    };
    match Hello::decode(&hello) {
        Ok(Hello { secret, pid }) => match expected.take(&secret) {
            Some(launch) => {
                // If it is late, this closes the connection.
                let _ = launch.send(Connected { socket, pid });
            }
            None => tracing::warn!(pid, "refused a resident worker with an unknown secret"),
        },
        Err(error) => tracing::warn!(%error, "refused a connection for resident workers"),
    }
}

async fn read_hello(socket: &mut (impl AsyncRead + Unpin)) -> Option<[u8; HELLO_LENGTH]> {
    let mut hello = [0; HELLO_LENGTH];
    match timeout(HELLO_TIMEOUT, socket.read_exact(&mut hello)).await {
        Ok(Ok(_)) => Some(hello),
        Ok(Err(_)) => None,
        Err(_) => {
            tracing::warn!("closed a connection for resident workers without HELLO");
            None
        }
    }
}

/// The address that a worker is to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorkerAddress {
    Fixed(String),
    /// Of the proxy's address that php-fpm sees.
    Port(u16),
}

impl WorkerAddress {
    /// For a worker of the php-fpm that `socket` is connected to.
    pub(super) fn seen_from(&self, socket: &Socket) -> io::Result<String> {
        Ok(match self {
            Self::Fixed(address) => address.clone(),
            Self::Port(port) => {
                let own = socket.local_ip()?;
                format!("tcp://{}", SocketAddr::new(own, *port))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::resident::frame::{FrameType, encode_header};

    fn hello(secret: &Secret) -> Vec<u8> {
        let header = encode_header(FrameType::Hello, 0, HELLO_LENGTH - 8);
        [&header[..], &[1], secret, &[0, 0, 0, 7]].concat()
    }

    /// A listener's path, and what it expects.
    async fn listening() -> (PathBuf, Expected) {
        let listener = WorkerListener::bind(None).await.unwrap();
        let WorkerAddress::Fixed(address) = listener.address() else {
            panic!("no Unix socket");
        };
        let expected = Expected::default();
        tokio::spawn(listener.accept(expected.clone()));
        (address.strip_prefix("unix://").unwrap().into(), expected)
    }

    /// Connects, sends these bytes, and waits until the connection is closed.
    async fn is_refused(path: &Path, bytes: &[u8]) {
        let mut socket = UnixStream::connect(path).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        assert!(matches!(socket.read(&mut [0]).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn a_secret_is_good_for_one_connection() {
        let (path, expected) = listening().await;
        let (mut launch, other) = (expected.expect().unwrap(), expected.expect().unwrap());
        assert_ne!(launch.secret, other.secret);
        is_refused(&path, &hello(&[b'0'; SECRET_LENGTH])).await;
        is_refused(
            &path,
            b"GET / HTTP/1.1\r\nhost: a\r\nuser-agent: something that is as long as a HELLO frame, or longer\r\n\r\n",
        )
        .await;
        let mut worker = UnixStream::connect(&path).await.unwrap();
        worker.write_all(&hello(&launch.secret)).await.unwrap();
        let connected = (&mut launch.connected).await.unwrap();
        assert_eq!(connected.pid, 7);
        is_refused(&path, &hello(&launch.secret)).await;
        let late = other.secret;
        drop(other);
        is_refused(&path, &hello(&late)).await;
    }

    #[tokio::test]
    async fn hello_has_a_limited_time() {
        tokio::time::pause();
        let (mut near, _far) = tokio::io::duplex(16);
        assert_eq!(read_hello(&mut near).await, None);
    }

    #[tokio::test]
    async fn connections_without_hello_are_limited_but_keep_no_worker_away() {
        let (path, expected) = listening().await;
        let mut launch = expected.expect().unwrap();
        let mut slow = Vec::new();
        for _ in 0..2 * MAX_UNKNOWN {
            let mut socket = UnixStream::connect(&path).await.unwrap();
            // It may have been closed already.
            let _ = socket.write_all(&hello(&launch.secret)[..9]).await;
            slow.push(socket);
        }
        let mut worker = UnixStream::connect(&path).await.unwrap();
        worker.write_all(&hello(&launch.secret)).await.unwrap();
        assert!((&mut launch.connected).await.is_ok());
        for socket in &mut slow[..MAX_UNKNOWN] {
            assert!(matches!(socket.read(&mut [0]).await, Ok(0) | Err(_)));
        }
        for socket in &slow[MAX_UNKNOWN + 1..] {
            let open = socket.try_read(&mut [0]).unwrap_err();
            assert_eq!(open.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[tokio::test]
    async fn the_socket_of_a_proxy_that_was_killed_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workers.sock");
        let endpoint = Endpoint::Unix(path.clone());
        drop(UnixListener::bind(&path).unwrap());
        let listener = WorkerListener::bind(Some(&endpoint)).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        // It is in use.
        assert!(WorkerListener::bind(Some(&endpoint)).await.is_err());
        drop(listener);
        assert!(!path.exists());
    }
}
