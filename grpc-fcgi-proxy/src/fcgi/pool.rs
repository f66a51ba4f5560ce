//! How many exchanges there are at once, how many calls wait for one, and for how long.
//!
//! Each exchange has a connection of its own: a kept one would pin a php-fpm worker while idle, and would lose a
//! request that is sent in the moment in which `pm.max_requests` ends the worker.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::either::Either;

use crate::metrics::PoolMetrics;

/// A connection is made within this time, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two tries at a Unix socket whose backlog is full.
const FULL_BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// Where php-fpm listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `host:port`.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Exchanges at once.
    pub max_exchanges: usize,
    /// Those of them that may be streaming calls.
    pub max_streams: usize,
    /// Calls that wait for one.
    pub max_waiting: usize,
    /// How long one waits.
    pub max_wait: Duration,
}

/// Why there is no connection. In no case has a script seen anything of the call.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No more streaming calls may run.
    #[error("too many streaming calls run")]
    TooManyStreams,
    /// The queue is full.
    #[error("too many calls wait for the application")]
    TooManyWaiting,
    /// The wait was too long.
    #[error("no worker of the application became free in time")]
    WaitTooLong,
    /// php-fpm can't be reached.
    #[error("cannot connect to the application: {0}")]
    Connect(#[source] io::Error),
}

/// Hands out connections to one php-fpm.
#[derive(Debug)]
pub struct Pool {
    target: Target,
    limits: Limits,
    permits: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    metrics: PoolMetrics,
}

impl Pool {
    /// A pool without any connection yet. The metrics follow how many calls wait and run.
    #[must_use]
    pub fn new(target: Target, limits: Limits, metrics: PoolMetrics) -> Self {
        let permits = Arc::new(Semaphore::new(limits.max_exchanges));
        let streams = Arc::new(Semaphore::new(limits.max_streams));
        Self {
            target,
            limits,
            permits,
            streams,
            metrics,
        }
    }

    /// Connects for a streaming call, which has its worker for long: it must not take one of the last, and does not
    /// wait for another streaming call to end.
    ///
    /// # Errors
    ///
    /// If too many streaming calls run; and as `acquire`.
    pub async fn acquire_stream(&self) -> Result<Connection, PoolError> {
        let stream = Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| PoolError::TooManyStreams)?;
        let mut connection = self.acquire().await?;
        connection.place.stream = Some(stream);
        Ok(connection)
    }

    /// Waits for a place, and connects.
    ///
    /// # Errors
    ///
    /// If the queue is full, the wait too long, or php-fpm not there.
    pub async fn acquire(&self) -> Result<Connection, PoolError> {
        let start = Instant::now();
        let give_up = start + self.limits.max_wait;
        let permit = self.permit(give_up).await?;
        let place = Place {
            permit,
            stream: None,
            running: Increment::new(&self.metrics.running),
        };
        let stream = self.target.connect(give_up).await?;
        self.metrics
            .wait_seconds
            .observe(start.elapsed().as_secs_f64());
        Ok(Connection { stream, place })
    }

    async fn permit(&self, give_up: Instant) -> Result<OwnedSemaphorePermit, PoolError> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Increment::new(&self.metrics.waiting);
        if usize::try_from(waiting.gauge.get()).unwrap_or(0) > self.limits.max_waiting {
            return Err(PoolError::TooManyWaiting);
        }
        match timeout_at(give_up, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(PoolError::WaitTooLong),
        }
    }
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
    pub async fn connect(&self, give_up: Instant) -> Result<Stream, PoolError> {
        loop {
            match timeout(CONNECT_TIMEOUT, self.try_connect()).await {
                Ok(Ok(stream)) => return Ok(stream),
                // A Unix socket's way to say that its backlog is full. Nothing was sent, so another try is safe.
                Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let next = Instant::now() + FULL_BACKLOG_PAUSE;
                    if next > give_up {
                        return Err(PoolError::WaitTooLong);
                    }
                    sleep_until(next).await;
                }
                Ok(Err(error)) => return Err(PoolError::Connect(error)),
                Err(elapsed) => return Err(PoolError::Connect(elapsed.into())),
            }
        }
    }

    async fn try_connect(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Either::Left(stream))
            }
            Self::Unix(path) => Ok(Either::Right(UnixStream::connect(path).await?)),
        }
    }
}

/// A socket to php-fpm.
pub type Stream = Either<TcpStream, UnixStream>;

/// A connection that has its place in the pool until it is dropped, however its exchange ends.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    place: Place,
}

#[derive(Debug)]
#[allow(dead_code, reason = "held until it is dropped")]
struct Place {
    permit: OwnedSemaphorePermit,
    stream: Option<OwnedSemaphorePermit>,
    running: Increment,
}

/// Counts while it lives.
#[derive(Debug)]
struct Increment {
    gauge: IntGauge,
}

impl Increment {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self {
            gauge: gauge.clone(),
        }
    }
}

impl Drop for Increment {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::metrics::Metrics;

    fn pool(target: Target, max_waiting: usize, max_wait: Duration) -> Pool {
        let limits = Limits {
            max_exchanges: 1,
            max_streams: 1,
            max_waiting,
            max_wait,
        };
        Pool::new(target, limits, Metrics::new().unwrap().pool)
    }

    async fn listening() -> (TcpListener, Target) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, Target::Tcp(address))
    }

    /// In the predecessor four failed dials used up the four places for ever.
    #[tokio::test]
    async fn a_failed_dial_gives_itsplace_back() {
        let missing = tempfile::tempdir().unwrap().path().join("no.sock");
        let pool = pool(Target::Unix(missing), 0, Duration::from_millis(10));
        for _ in 0..5 {
            assert!(matches!(pool.acquire().await, Err(PoolError::Connect(_))));
        }
        assert_eq!(pool.metrics.running.get(), 0);
        assert_eq!(pool.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_dropped_connection_frees_itsplace() {
        let (_listener, target) = listening().await;
        let pool = pool(target, 1, Duration::from_secs(60));
        let first = pool.acquire().await.unwrap();
        assert_eq!(pool.metrics.running.get(), 1);
        let mut second = std::pin::pin!(pool.acquire());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(pool.metrics.waiting.get(), 1);
        drop(first);
        second.await.unwrap();
        assert_eq!(
            (pool.metrics.waiting.get(), pool.metrics.running.get()),
            (0, 0)
        );
    }

    #[tokio::test]
    async fn the_queue_and_the_wait_are_bounded() {
        let (_listener, target) = listening().await;
        let pool = pool(target, 1, Duration::from_millis(20));
        let _running = pool.acquire().await.unwrap();
        let mut waiting = std::pin::pin!(pool.acquire());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(matches!(
            pool.acquire().await,
            Err(PoolError::TooManyWaiting)
        ));
        assert!(matches!(waiting.await, Err(PoolError::WaitTooLong)));
        assert_eq!(pool.metrics.waiting.get(), 0);
    }
}
