//! Listeners: binding, accepting, and draining.

use std::{error::Error, io, iter, net::SocketAddr, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Concurrent connections; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 4096;
/// Concurrent calls on a connection: Envoy sends all of its calls on a few connections.
const MAX_STREAMS: u32 = 1024;
/// Bytes of a request that a client may send before its call takes them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// A stream that is held back must not use up the window of the others.
const CONNECTION_WINDOW: u32 = MAX_STREAMS * STREAM_WINDOW;
/// Streams that a client may reset before their calls have begun. Callers with short deadlines do it whenever the service
/// is slower; only an attack (CVE-2023-44487) does it this often at once.
const MAX_EARLY_RESETS: usize = 1024;
/// Streams of a connection that the service may have to reset for violations of HTTP/2. A frame that arrives just after
/// the end of its stream counts, so a connection that carries all calls of an Envoy has some.
const MAX_VIOLATIONS: usize = 16 * 1024;
/// Bytes of headers in a request. Envoy's own limit is similar.
const MAX_HEADERS: u32 = 64 * 1024;
/// Together, these detect a client that vanished without closing its connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an HTTP/1.1 client may take to send a request's header, or stay idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// accept fails when the process is out of file descriptors; an immediate retry would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Between two records about it.
const ACCEPT_LOG_PERIOD: Duration = Duration::from_secs(10);

/// A port cannot be bound.
#[derive(Debug, thiserror::Error)]
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
    let mut errors = AcceptErrors::default();
    while let Some((stream, peer)) = accept(&listener, &mut connections, &mut errors, &stop).await {
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection.into_owned());
        connections.spawn(async move {
            match connection.await {
                Ok(()) => {}
                Err(error) if is_abuse(&*error) => {
                    tracing::warn!(%peer, %error, "closed a connection that exceeded the limits of HTTP/2");
                }
                Err(error) => tracing::debug!(%peer, %error, "connection ended"),
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
    errors: &mut AcceptErrors,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
        };
        match accepted.and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer)))
        {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                errors.add(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The errors of accept since the last one that was logged.
#[derive(Debug, Default)]
struct AcceptErrors {
    count: u64,
    logged: Option<Instant>,
}

impl AcceptErrors {
    /// Logs the error unless another one was logged shortly before. Returns true if it did.
    fn add(&mut self, error: &io::Error) -> bool {
        self.count += 1;
        let is_due = self
            .logged
            .is_none_or(|at| at.elapsed() >= ACCEPT_LOG_PERIOD);
        if is_due {
            tracing::warn!(%error, times = self.count, "accept failed");
            self.count = 0;
            self.logged = Some(Instant::now());
        }
        is_due
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
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_pending_accept_reset_streams(MAX_EARLY_RESETS)
                .max_local_error_reset_streams(MAX_VIOLATIONS)
                .max_concurrent_streams(MAX_STREAMS);
            builder.http2_only()
        }
    }
}

/// Whether the connection was closed because its client exceeded the limits of HTTP/2.
fn is_abuse(error: &(dyn Error + 'static)) -> bool {
    let mut causes = iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| {
        cause.downcast_ref::<h2::Error>().is_some_and(|error| {
            error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
        })
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const GOAWAY: u8 = 0x7;
    const PING: u8 = 0x6;

    /// The kind of the frame that answers a PING behind this many calls that are reset at once.
    async fn answer_after_resets(resets: u32) -> u8 {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = serve(
            listener,
            Protocol::Http2,
            Router::new(),
            stop.clone(),
            Duration::ZERO,
        );
        let client = async {
            let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
            for number in 0..resets {
                let stream = (2 * number + 1).to_be_bytes();
                // HEADERS with END_STREAM and END_HEADERS: POST, http, / and the authority "a"; then RST_STREAM, CANCEL.
                bytes.extend([b"\0\0\x06\x01\x05", &stream[..], b"\x83\x86\x84\x41\x01a"].concat());
                bytes.extend([b"\0\0\x04\x03\0", &stream[..], b"\0\0\0\x08"].concat());
            }
            bytes.extend(b"\0\0\x08\x06\0\0\0\0\0pingping");
            let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
            let send = async {
                // The server may close the connection first.
                let _ = write.write_all(&bytes).await;
            };
            let receive = async {
                loop {
                    let mut header = [0; 9];
                    read.read_exact(&mut header).await.unwrap();
                    let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
                    let mut payload = vec![0; length as usize];
                    read.read_exact(&mut payload).await.unwrap();
                    if [PING, GOAWAY].contains(&header[3]) {
                        return header[3];
                    }
                }
            };
            let ((), kind) = tokio::join!(send, receive);
            stop.cancel();
            kind
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn early_resets_do_not_end_a_connection_and_a_rapid_reset_does() {
        assert_eq!(answer_after_resets(500).await, PING);
        assert_eq!(answer_after_resets(50_000).await, GOAWAY);
    }

    /// As many as there are while the process has no file descriptor left.
    #[tokio::test(start_paused = true)]
    async fn errors_of_accept_are_logged_at_a_bounded_rate() {
        let mut errors = AcceptErrors::default();
        let error = io::ErrorKind::Other.into();
        let mut logged = 0;
        for _ in 0..500 {
            logged += usize::from(errors.add(&error));
            sleep(ACCEPT_PAUSE).await;
        }
        assert_eq!(logged, 5);
    }
}
