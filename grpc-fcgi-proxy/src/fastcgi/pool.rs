//! Connections to php-fpm: a place at a target, then a new or a kept connection.
//!
//! By default each exchange has a new connection: a kept one pins a php-fpm worker while idle, and loses a request that
//! is sent at the moment when `pm.max_requests` ends the worker.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_ok;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::idle::IdleConnections;
use super::limits::{PoolError, PoolLimits};
use super::open::Open;
use super::queue::{Place, Queue};
use super::target::{ConnectError, Target};
use super::targets::Targets;
use crate::metrics::increment::Increment;
use crate::metrics::pool::PoolMetrics;
use crate::share::Holdings;
use crate::waiting::{Purpose, QueueError};

/// Between two attempts to connect to a target that is out of rotation.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// Hands out connections to php-fpm.
#[derive(Debug)]
pub(crate) struct Pool {
    targets: Targets,
    limits: PoolLimits,
    queue: Arc<Queue>,
    idle: Arc<IdleConnections>,
    metrics: PoolMetrics,
}

impl Pool {
    /// A pool without any connection yet.
    pub(crate) fn new(targets: Targets, limits: PoolLimits, metrics: PoolMetrics) -> Arc<Self> {
        let (exchanges, streams) = (limits.max_exchanges, limits.max_streams);
        let pool = Arc::new(Self {
            queue: Queue::new(exchanges, streams, limits.share, metrics.clone()),
            idle: IdleConnections::new(limits.keep_alive),
            targets,
            limits,
            metrics,
        });
        pool.set_targets(pool.targets.current());
        let followed = Arc::downgrade(&pool);
        pool.targets.each(move |targets| {
            let pool = followed.upgrade();
            pool.map(|pool| pool.set_targets(targets)).is_some()
        });
        pool
    }

    fn set_targets(&self, targets: Vec<Target>) {
        self.idle.set_targets(self.queue.set_targets(targets));
    }

    /// Whether a connection may serve more than one exchange.
    pub(crate) fn keeps_connections(&self) -> bool {
        self.idle.keeps()
    }

    /// How much of the places is taken: above 1, calls wait.
    pub(crate) fn utilization(&self) -> f64 {
        self.queue.utilization()
    }

    /// The target with the lowest load, for exchanges that need no place.
    pub(crate) fn least_loaded(&self) -> Result<Arc<Target>, ConnectError> {
        let target = self.queue.least_loaded();
        target.ok_or_else(|| ConnectError::Failed(ErrorKind::AddrNotAvailable.into()))
    }

    /// Whether any target is reachable.
    pub(crate) async fn reach(&self) -> Result<(), ConnectError> {
        let now = Instant::now();
        let targets = self.targets.current();
        let tries = targets.iter().map(|target| target.connect(now).boxed());
        select_ok(tries).await.map(|_| ())
    }

    /// Waits for a place for a unary call, and connects.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        client: &Holdings,
    ) -> Result<Connection, PoolError> {
        let start = Instant::now();
        self.connected(Purpose::Unary, client, start, start + self.limits.max_wait)
            .await
    }

    /// The same for a streaming call, which occupies its worker for long, and closes its connection after its input.
    pub(crate) async fn acquire_stream(
        self: &Arc<Self>,
        client: &Holdings,
    ) -> Result<Connection, PoolError> {
        let start = Instant::now();
        if self.queue.has_room_for_stream(client) {
            let give_up = start + self.limits.max_wait;
            return self
                .connected(Purpose::Stream, client, start, give_up)
                .await;
        }
        if self.limits.max_stream_wait.is_zero() {
            return Err(self.queue.refuse_stream().into());
        }
        let give_up = start + self.limits.max_stream_wait;
        let connected = self.connected(Purpose::Stream, client, start, give_up);
        connected.await.map_err(|error| match error {
            PoolError::Queue(QueueError::WaitTooLong) => self.queue.refuse_stream().into(),
            error => error,
        })
    }

    async fn connected(
        self: &Arc<Self>,
        purpose: Purpose,
        client: &Holdings,
        start: Instant,
        give_up: Instant,
    ) -> Result<Connection, PoolError> {
        let mut tries = self.queue.targets().max(1);
        loop {
            let place = self.place(purpose, client, give_up).await?;
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
                // Nothing has been sent, so another target may be tried.
                Err(_) if tries > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn place(
        &self,
        purpose: Purpose,
        client: &Holdings,
        give_up: Instant,
    ) -> Result<Place, PoolError> {
        if let Some(place) = self.queue.take(purpose, client) {
            return Ok(place);
        }
        let waiting = Increment::new(&self.metrics.waiting);
        let before = usize::try_from(waiting.value() - 1).unwrap_or(0);
        let free = self.limits.max_waiting.saturating_sub(before);
        if free == 0 || !self.limits.share.admits(client.waiting.count(), free) {
            return Err(QueueError::TooManyWaiting.into());
        }
        let mut waiter = self.queue.join(purpose, client);
        match timeout_at(give_up, waiter.place()).await {
            Ok(Some(place)) => Ok(place),
            // The queue holds the sender while `waiter` lives.
            Ok(None) | Err(_) => Err(QueueError::WaitTooLong.into()),
        }
    }

    async fn connect(
        self: &Arc<Self>,
        purpose: Purpose,
        place: &Place,
        give_up: Instant,
    ) -> Result<Open, ConnectError> {
        match purpose {
            Purpose::Unary => {
                if let Some(open) = self.idle.take(place.target()).await {
                    return Ok(open);
                }
            }
            // The worker that an idle connection pins may be the one that is needed.
            Purpose::Stream => self.idle.close_one(place.target()),
        }
        let mut attempt = Attempt {
            pool: self,
            target: place.target(),
            ended: false,
        };
        let connected = place.target().connect(give_up).await;
        attempt.ended = true;
        self.record(place.target(), &connected);
        Ok(Open::new(connected?, &self.metrics))
    }

    /// Takes the target out of rotation if it is unreachable, or else returns it.
    fn record<T>(self: &Arc<Self>, target: &Arc<Target>, connected: &Result<T, ConnectError>) {
        match connected {
            Err(error @ ConnectError::Failed(_)) => self.remove_from_rotation(target, error),
            // A target with a full backlog is reachable, but overloaded.
            Ok(_) | Err(ConnectError::FullBacklog) => self.return_to_rotation(target),
        }
    }

    fn return_to_rotation(&self, target: &Arc<Target>) {
        if self.queue.set_reachable(target, true) {
            tracing::info!(fastcgi = %target, "the application is reachable again");
        }
    }

    /// Takes the target out of rotation until it is reachable.
    fn remove_from_rotation(self: &Arc<Self>, target: &Arc<Target>, error: &ConnectError) {
        self.targets.are_outdated();
        if !self.queue.set_reachable(target, false) {
            return;
        }
        tracing::warn!(fastcgi = %target, %error, "the application is unreachable, and out of rotation");
        let (pool, target) = (Arc::downgrade(self), Arc::clone(target));
        tokio::spawn(async move {
            loop {
                sleep(RECONNECT_INTERVAL).await;
                match pool.upgrade() {
                    Some(pool) if pool.queue.is_down(&target) => {
                        let connected = target.connect(Instant::now()).await;
                        if !matches!(connected, Err(ConnectError::Failed(_))) {
                            pool.return_to_rotation(&target);
                        }
                    }
                    _ => return,
                }
            }
        });
    }

    /// Finds out whether a target is reachable that has not answered a call in time.
    fn examine(self: &Arc<Self>, target: &Arc<Target>) {
        // Without a runtime the process is shutting down.
        if let Ok(runtime) = Handle::try_current()
            && self.queue.begin_examination(target)
        {
            let (pool, target) = (Arc::clone(self), Arc::clone(target));
            runtime.spawn(async move {
                let connected = target.connect(Instant::now()).await;
                pool.queue.end_examination(&target);
                pool.record(&target, &connected);
            });
        }
    }
}

/// A call that connects. If it ends before it is connected, its target may be silent: calls with short deadlines would
/// go there for ever.
struct Attempt<'a> {
    pool: &'a Arc<Pool>,
    target: &'a Arc<Target>,
    ended: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.pool.examine(self.target);
        }
    }
}

#[cfg(test)]
mod tests;
