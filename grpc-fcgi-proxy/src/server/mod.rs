//! The gRPC listener: accepts connections up to the limit, spreads them over the threads, and drains them.

mod arrivals;
mod coalesce;
mod connection;
mod front_ends;
mod http1;
mod http2;
mod limits;
mod stream;
mod threads;
mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::connection::Connections;
pub(crate) use self::front_ends::{FrontEnds, Rest};
pub(crate) use self::limits::ServerLimits;
pub(crate) use self::threads::Threads;
pub(crate) use self::tls::{Renewal, Tls};
use crate::accept::Listener;
use crate::call::Bridge;
use crate::metrics::increment::Increment;

/// How long aborted calls may take to send their status.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves gRPC on one listener.
pub(crate) struct Server {
    connections: Arc<Connections>,
    /// One permit for each connection that may be open.
    permits: Arc<Semaphore>,
    threads: Threads,
    limits: ServerLimits,
}

impl Server {
    pub(crate) fn new(
        bridge: Arc<Bridge>,
        tls: Option<Arc<Tls>>,
        front_ends: FrontEnds,
        threads: Threads,
        limits: ServerLimits,
    ) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limits.clients.max_connections)),
            connections: Arc::new(Connections {
                bridge,
                tls,
                front_ends: Arc::new(front_ends),
                limits,
                draining: CancellationToken::new(),
            }),
            threads,
            limits,
        }
    }

    /// Serves until `shutdown`, then drains.
    pub(crate) async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = self.accept(listener) => {}
            () = shutdown => {}
        }
        self.drain().await;
    }

    async fn accept(&self, listener: TcpListener) {
        let mut listener = Listener::new(listener);
        loop {
            self.begin(listener.accept().await);
        }
    }

    /// A connection over the limit is closed at once, so that its client can go elsewhere instead of waiting in the
    /// backlog.
    fn begin(&self, stream: TcpStream) {
        let metrics = &self.connections.bridge.metrics.clients;
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            metrics.refused.inc();
            return;
        };
        let open = Increment::new(&metrics.connections);
        let connections = Arc::clone(&self.connections);
        // The stream is registered with the runtime that accepted it.
        let Ok(stream) = stream.into_std() else {
            return;
        };
        self.threads.spawn(async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                connections.serve(stream).await;
            }
            drop((permit, open));
        });
    }

    /// Sends GOAWAY on every connection; each closes when its calls have ended.
    async fn drain(&self) {
        let tasks = self.threads.tasks();
        tracing::info!(connections = tasks.len(), "draining");
        self.connections.draining.cancel();
        tasks.close();
        let drained = timeout(self.limits.drain_timeout, tasks.wait());
        if drained.await.is_err() {
            tracing::warn!("aborting the calls that did not end within --drain-timeout");
            self.connections.bridge.stopping.cancel();
            let _ = timeout(ABORT_TIMEOUT, tasks.wait()).await;
        }
        // While the threads serve: they serve the resident workers too.
        self.connections.bridge.application.end().await;
    }
}
