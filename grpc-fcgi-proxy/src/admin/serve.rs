//! The connections of the auxiliary server: few, and none for long, so that they take no file descriptor from the calls.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::Listener;

/// Open connections; a further one is closed as soon as it is accepted.
pub(crate) const MAX_CONNECTIONS: usize = 64;
/// How long a client may take for the header fields of a request, or wait before it sends one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection accepts requests.
const MAX_AGE: Duration = Duration::from_secs(60);
/// How long its last request may take. No script may take this long.
const LAST_REQUEST: Duration = Duration::from_secs(20);
/// How long open requests may take after the calls have drained.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until `shutdown`.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting = async {
        let mut listener = Listener::new(listener);
        loop {
            let stream = listener.accept().await;
            if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
                let (router, stopping) = (router.clone(), stopping.clone());
                connections.spawn(async move {
                    serve_connection(stream, router, &stopping).await;
                    drop(permit);
                });
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    stopping.cancel();
    connections.close();
    let _ = timeout(SHUTDOWN_TIMEOUT, connections.wait()).await;
}

async fn serve_connection(stream: TcpStream, router: Router, stopping: &CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        // The client reports a connection that breaks.
        _ = &mut connection => return,
        () = sleep(MAX_AGE) => {}
        () = stopping.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST_REQUEST, connection).await;
}
