//! The way to php-fpm: places, connections, and the targets that are there.
//!
//! By default each exchange has a connection of its own: a kept one pins a php-fpm worker while idle, and loses a
//! request that is sent in the moment in which `pm.max_requests` ends the worker.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_ok;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{Connection, Open};
use super::idle::Idle;
use super::queue::{Place, Places, Use};
use super::target::{ConnectError, Target};
use crate::metrics::{Increment, PoolMetrics};

/// From one try to connect to a target that is left out to the next.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Exchanges at once with each target.
    pub max_exchanges: usize,
    /// Those of them that may be streaming calls.
    pub max_streams: usize,
    /// Calls that wait for one.
    pub max_waiting: usize,
    /// How long one waits.
    pub max_wait: Duration,
    /// How long a streaming call waits for another one to end.
    pub max_stream_wait: Duration,
    /// How long an exchange that nobody waits for any more keeps its place.
    pub abandoned_timeout: Duration,
    /// How long a connection without an exchange is kept.
    pub keep_alive: Duration,
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
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Hands out connections to php-fpm.
#[derive(Debug)]
pub struct Pool {
    targets: Vec<Target>,
    limits: Limits,
    places: Arc<Places>,
    idle: Arc<Idle>,
    metrics: PoolMetrics,
}

impl Pool {
    /// A pool without any connection yet. The metrics follow how many calls wait and run.
    #[must_use]
    pub fn new(targets: Vec<Target>, limits: Limits, metrics: PoolMetrics) -> Arc<Self> {
        let places = Places::new(
            targets.len(),
            limits.max_exchanges,
            limits.max_streams,
            metrics.clone(),
        );
        for target in &targets {
            metrics.target_up(target).set(1);
        }
        Arc::new(Self {
            places,
            idle: Idle::new(targets.len(), limits.keep_alive),
            targets,
            limits,
            metrics,
        })
    }

    /// Whether a connection is to be used for more than one exchange.
    #[must_use]
    pub fn keeps_connections(&self) -> bool {
        self.idle.keeps()
    }

    /// The target that has least to do, for what needs no place.
    #[must_use]
    pub fn least_loaded(&self) -> &Target {
        &self.targets[self.places.least_loaded()]
    }

    /// Connects to a target, to see whether one is there.
    ///
    /// # Errors
    ///
    /// If none is.
    pub async fn reach(&self) -> Result<(), ConnectError> {
        let now = Instant::now();
        let tries = self
            .targets
            .iter()
            .map(|target| target.connect(now).boxed());
        select_ok(tries).await.map(|_| ())
    }

    /// Waits for a place, and connects.
    ///
    /// # Errors
    ///
    /// If the queue is full, the wait too long, or php-fpm not there.
    pub async fn acquire(self: &Arc<Self>) -> Result<Connection, PoolError> {
        let start = Instant::now();
        self.connected(Use::Unary, start, start + self.limits.max_wait)
            .await
    }

    /// Connects for a streaming call, which has its worker for long, and ends its connection with its input.
    ///
    /// # Errors
    ///
    /// If too many streaming calls run; and as `acquire`.
    pub async fn acquire_stream(self: &Arc<Self>) -> Result<Connection, PoolError> {
        let start = Instant::now();
        if self.places.has_room_for_stream() {
            let give_up = start + self.limits.max_wait;
            return self.connected(Use::Stream, start, give_up).await;
        }
        if self.limits.max_stream_wait.is_zero() {
            return Err(PoolError::TooManyStreams);
        }
        let give_up = start + self.limits.max_stream_wait;
        match self.connected(Use::Stream, start, give_up).await {
            Err(PoolError::WaitTooLong) => Err(PoolError::TooManyStreams),
            result => result,
        }
    }

    async fn connected(
        self: &Arc<Self>,
        purpose: Use,
        start: Instant,
        give_up: Instant,
    ) -> Result<Connection, PoolError> {
        let mut tries = self.targets.len();
        loop {
            let place = self.place(purpose, give_up).await?;
            tries -= 1;
            match self.connect(purpose, &place, give_up).await {
                Ok(open) => {
                    let wait = start.elapsed().as_secs_f64();
                    self.metrics.wait_seconds.observe(wait);
                    return Ok(Connection::new(
                        open,
                        place,
                        Arc::clone(&self.idle),
                        &self.metrics,
                        self.limits.abandoned_timeout,
                    ));
                }
                // Nothing was sent, so another target may be tried.
                Err(_) if tries > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn place(&self, purpose: Use, give_up: Instant) -> Result<Place, PoolError> {
        if let Some(place) = self.places.take(purpose) {
            return Ok(place);
        }
        let waiting = Increment::new(&self.metrics.waiting);
        if usize::try_from(waiting.value()).unwrap_or(0) > self.limits.max_waiting {
            return Err(PoolError::TooManyWaiting);
        }
        let mut queued = self.places.queue(purpose);
        match timeout_at(give_up, queued.place()).await {
            Ok(Some(place)) => Ok(place),
            // Its sender is in the queue as long as `queued` is.
            Ok(None) | Err(_) => Err(PoolError::WaitTooLong),
        }
    }

    async fn connect(
        self: &Arc<Self>,
        purpose: Use,
        place: &Place,
        give_up: Instant,
    ) -> Result<Open, ConnectError> {
        match purpose {
            Use::Unary => {
                if let Some(open) = self.idle.take(place.target()).await {
                    return Ok(open);
                }
            }
            // The worker that it pins may be the one that is needed.
            Use::Stream => self.idle.close_one(place.target()),
        }
        let target = &self.targets[place.target()];
        let connected = target.connect(give_up).await;
        match &connected {
            Err(error @ ConnectError::Failed(_)) => self.leave_out(place.target(), error),
            // With a full backlog it is there, it only has too much to do.
            Ok(_) | Err(ConnectError::FullBacklog) => self.set_up(place.target()),
        }
        Ok(Open::new(connected?, &self.metrics))
    }

    fn set_up(&self, target: usize) {
        if self.places.set_down(target, false) {
            let target = &self.targets[target];
            tracing::info!(%target, "the application can be reached again");
            self.metrics.target_up(target).set(1);
        }
    }

    /// Leaves the target out until it can be connected to.
    fn leave_out(self: &Arc<Self>, target: usize, error: &ConnectError) {
        if !self.places.set_down(target, true) {
            return;
        }
        tracing::warn!(target = %self.targets[target], %error, "left out");
        self.metrics.target_up(&self.targets[target]).set(0);
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(RECONNECT_INTERVAL).await;
                let Some(pool) = pool.upgrade() else { return };
                let connected = pool.targets[target].connect(Instant::now()).await;
                if !matches!(connected, Err(ConnectError::Failed(_))) {
                    return pool.set_up(target);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::metrics::Metrics;

    fn pool(targets: Vec<Target>, max_waiting: usize, max_wait: Duration) -> Arc<Pool> {
        let limits = Limits {
            max_exchanges: 1,
            max_streams: 1,
            max_waiting,
            max_wait,
            max_stream_wait: Duration::ZERO,
            abandoned_timeout: Duration::from_secs(1),
            keep_alive: Duration::ZERO,
        };
        Pool::new(targets, limits, Metrics::new().unwrap().pool)
    }

    async fn listening() -> (TcpListener, Target) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, Target::Tcp(address))
    }

    fn missing() -> Target {
        Target::Unix(tempfile::tempdir().unwrap().path().join("no.sock"))
    }

    /// In the predecessor four failed dials used up the four places for ever.
    #[tokio::test]
    async fn a_failed_dial_gives_its_place_back() {
        let pool = pool(vec![missing()], 0, Duration::from_millis(10));
        for _ in 0..5 {
            assert!(matches!(pool.acquire().await, Err(PoolError::Connect(_))));
        }
        assert_eq!(pool.metrics.running.get(), 0);
    }

    #[tokio::test]
    async fn a_dropped_connection_frees_its_place() {
        let (_listener, target) = listening().await;
        let pool = pool(vec![target], 1, Duration::from_secs(60));
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
        let pool = pool(vec![target], 1, Duration::from_millis(20));
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

    #[tokio::test]
    async fn a_call_goes_to_another_target_if_one_is_not_there() {
        let (_listener, target) = listening().await;
        let pool = pool(vec![missing(), target], 0, Duration::ZERO);
        let _connection = pool.acquire().await.unwrap();
        assert_eq!(pool.places.least_loaded(), 1);
    }
}
