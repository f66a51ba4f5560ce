//! Where resident workers connect to, and which connection is a worker's: only who knows the secret of a launch.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::frame::{HELLO_LENGTH, Hello, SECRET_LENGTH};
use crate::fastcgi::endpoint::Endpoint;
use crate::fastcgi::socket::Socket;
use crate::lookup::lookup;

/// Connections that have not sent HELLO yet.
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
                let folder = private_folder()?;
                let files = Files(folder.clone());
                let path = folder.join("workers.sock");
                Self::unix(&path, files)
            }
            Some(Endpoint::Unix(path)) => {
                // Of a proxy that was killed.
                if std::os::unix::net::UnixStream::connect(path)
                    .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
                {
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
        let listener = UnixListener::bind(path)?;
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
        let unknown = Arc::new(Semaphore::new(MAX_UNKNOWN));
        // Held to the end.
        let _files = self.files;
        loop {
            let accepted = match &self.listener {
                Bound::Unix(listener, _) => listener.accept().await.map(|(s, _)| Socket::from(s)),
                Bound::Tcp(listener, _) => listener.accept().await.map(|(s, _)| Socket::from(s)),
            };
            match accepted {
                Ok(socket) => {
                    // Over the limit it is closed.
                    if let Ok(permit) = Arc::clone(&unknown).try_acquire_owned() {
                        let expected = expected.clone();
                        tokio::spawn(async move {
                            admit(socket, &expected).await;
                            drop(permit);
                        });
                    }
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
    let mut hello = [0; HELLO_LENGTH];
    match timeout(HELLO_TIMEOUT, socket.read_exact(&mut hello)).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return,
        Err(_) => {
            tracing::warn!("closed a connection for resident workers without HELLO");
            return;
        }
    }
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

/// The address that a worker is to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorkerAddress {
    Fixed(String),
    /// Of the proxy's address that php-fpm sees.
    Port(u16),
}

/// A folder that others can pass, but not list, with a name that they cannot guess.
fn private_folder() -> io::Result<PathBuf> {
    let digits = random_digits()?;
    let name = String::from_utf8_lossy(&digits[..32]).into_owned();
    let parent =
        std::env::var_os("RUNTIME_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = parent.join(format!("grpc-fcgi-proxy-{name}"));
    DirBuilder::new().mode(0o711).create(&folder)?;
    // The umask may have taken more away.
    fs::set_permissions(&folder, Permissions::from_mode(0o711))?;
    Ok(folder)
}

/// A socket, or a folder with one.
#[derive(Debug)]
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = if self.0.is_dir() {
            fs::remove_dir_all(&self.0)
        } else {
            fs::remove_file(&self.0)
        };
    }
}
