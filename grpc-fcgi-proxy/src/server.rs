//! The gRPC listener: accepts connections, serves HTTP/2 on each, drains them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::call::{self, Bridge, Ends};

/// Calls that one connection may have open. Envoy and gRPC clients put many on one.
const MAX_CONCURRENT_STREAMS: u32 = 1024;
/// A connection that has been silent is asked whether it is alive.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// It is closed if it does not answer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Who has connected must begin to speak TLS, and come to an end with it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// When the system has no file descriptor left, accepting again at once would only burn CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Calls that are broken off have this long to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// What HTTP/2 refuses of header fields.
    pub max_header_list_size: u32,
    /// How long calls may take to end when the server stops.
    pub drain_timeout: Duration,
}

/// Serves until `shutdown`, then lets the calls that run come to their end.
pub async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    bridge: Arc<Bridge>,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) {
    let http2 = http2(limits);
    let connections = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = Connection {
                    http2: http2.clone(),
                    bridge: Arc::clone(&bridge),
                    watcher: connections.watcher(),
                };
                tokio::spawn(connection.accept(stream, tls.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drain(connections, limits.drain_timeout, &bridge.stopping).await;
}

async fn drain(connections: GracefulShutdown, limit: Duration, stopping: &CancellationToken) {
    tracing::info!(connections = connections.count(), "draining");
    // Sends GOAWAY on every connection; each closes when its calls have ended.
    let mut closed = std::pin::pin!(connections.shutdown());
    if timeout(limit, &mut closed).await.is_err() {
        tracing::warn!("calls that did not end in time are broken off");
        stopping.cancel();
        let _ = timeout(FAREWELL, closed).await;
    }
}

fn http2(limits: ServerLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_header_list_size(limits.max_header_list_size)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .auto_date_header(false);
    builder
}

/// What a connection is served with.
struct Connection {
    http2: http2::Builder<TokioExecutor>,
    bridge: Arc<Bridge>,
    watcher: Watcher,
}

impl Connection {
    async fn accept(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let ends = stream
            .set_nodelay(true)
            .and_then(|()| Ok((stream.peer_addr()?, stream.local_addr()?)));
        // Only a connection that is gone already has no ends.
        let Ok((peer, local)) = ends else { return };
        let ends = Ends { peer, local };
        let Some(tls) = tls else {
            return self.serve(stream, ends).await;
        };
        match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, ends).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, ends: Ends) {
        let bridge = self.bridge;
        let service = service_fn(move |request| {
            let call = call::serve(Arc::clone(&bridge), ends, request);
            async { Ok::<_, std::convert::Infallible>(call.await) }
        });
        let connection = self.http2.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(peer = %ends.peer, %error, "connection broke");
        }
    }
}
