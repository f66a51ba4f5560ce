//! Listeners: binding, accepting, and draining.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Concurrent connections; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 4096;
/// Concurrent calls on a connection: Envoy sends all of its calls on a few connections.
const MAX_STREAMS: u32 = 1024;
/// Bytes of headers in a request. Envoy's own limit is similar.
const MAX_HEADERS: u32 = 64 * 1024;
/// Together, these detect a client that vanished without closing its connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an HTTP/1.1 client may take to send a request's header, or stay idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// accept fails when the process is out of file descriptors; an immediate retry would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port cannot be bound.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}: stop what listens there, or choose another address")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// The protocol of a port.
#[derive(Debug, Clone, Copy)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS and with prior knowledge, as gRPC uses it.
    Http2,
}

/// Binds a port.
///
/// # Errors
///
/// If the address is in use or not available; the error names it.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError { address, source })
}

/// Serves until `stop` is cancelled, then drains: until all calls have finished, or the drain timeout has expired.
pub async fn serve(
    listener: TcpListener,
    protocol: Protocol,
    router: Router,
    stop: CancellationToken,
    drain: Duration,
) {
    let server = builder(protocol);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    while let Some(stream) = accept(&listener, &mut connections, &stop).await {
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection.into_owned());
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    if timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "the drain timeout has expired: aborting calls"
        );
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Option<TcpStream> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
        };
        match accepted.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Some(stream),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    match protocol {
        Protocol::Http1 => {
            builder
                .http1()
                .timer(TokioTimer::new())
                .max_buf_size(MAX_HEADERS as usize)
                .header_read_timeout(HEADER_TIMEOUT);
            builder.http1_only()
        }
        Protocol::Http2 => {
            builder
                .http2()
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE_INTERVAL)
                .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
                .max_header_list_size(MAX_HEADERS)
                .max_concurrent_streams(MAX_STREAMS);
            builder.http2_only()
        }
    }
}
