//! The gRPC listener: accepts connections, as many as there may be, shares them among the workers, and drains them.

mod coalesce;
pub(crate) mod connection;
mod preface;
pub mod threads;
pub mod tls;
pub mod web;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::connection::Connections;
use self::threads::Workers;
use self::web::Web;
use crate::call::Bridge;
use crate::config::ClientFlags;
use crate::metrics::Increment;

/// When the system has no file descriptor left, accepting again at once would only burn CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Calls that are broken off have this long to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// What clients may take up.
    pub clients: ClientFlags,
    /// What HTTP/2 refuses of header fields.
    pub max_header_list_size: u32,
    /// How long calls may take to end when the server stops.
    pub drain_timeout: Duration,
}

/// Serves until `shutdown`, then lets the calls that run come to their end.
pub async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    web: Option<Web>,
    bridge: Arc<Bridge>,
    workers: Workers,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) {
    let server = Server {
        places: Arc::new(Semaphore::new(limits.clients.max_connections)),
        connections: Arc::new(Connections {
            bridge,
            tls,
            web: web.map(Arc::new),
            limits,
            draining: CancellationToken::new(),
        }),
        workers,
    };
    tokio::select! {
        () = server.accept(&listener) => {}
        () = shutdown => {}
    }
    drop(listener);
    server.drain(limits.drain_timeout).await;
}

struct Server {
    places: Arc<Semaphore>,
    connections: Arc<Connections>,
    workers: Workers,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.begin(stream),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// A connection too many is closed at once: its client learns that it must go elsewhere, instead of waiting for an
    /// answer in a backlog.
    fn begin(&self, stream: TcpStream) {
        let metrics = &self.connections.bridge.metrics.clients;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            metrics.refused.inc();
            return;
        };
        let open = Increment::new(&metrics.connections);
        let connections = Arc::clone(&self.connections);
        // It belongs to the runtime that has accepted it.
        let Ok(stream) = stream.into_std() else {
            return;
        };
        self.workers.spawn(async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                connections.serve(stream).await;
            }
            drop((place, open));
        });
    }

    /// Sends GOAWAY on every connection; each closes when its calls have ended.
    async fn drain(&self, limit: Duration) {
        let tasks = self.workers.tasks();
        tracing::info!(connections = tasks.len(), "draining");
        self.connections.draining.cancel();
        tasks.close();
        if timeout(limit, tasks.wait()).await.is_err() {
            tracing::warn!("calls that did not end in time are broken off");
            self.connections.bridge.stopping.cancel();
            let _ = timeout(FAREWELL, tasks.wait()).await;
        }
    }
}
