//! One connection of a client: TLS, HTTP, and what ends it.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::coalesce::{Coalescing, Turns};
use super::limits::ServerLimits;
use super::preface;
use super::web::Web;
use crate::call::{self, Bridge, Ends, OpenCalls, RequestBody, ResponseBody};

/// How long a client may take for the TLS handshake, and then for the first bytes of HTTP.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest frame of a client in bytes: as much as a record carries to the application. With HTTP/2's default of
/// 16 KiB a large message takes four times the frames, and a fifth more CPU time.
const MAX_FRAME_SIZE: u32 = 64 * 1024;

/// The parts that all connections share.
pub(super) struct Connections {
    pub(super) bridge: Arc<Bridge>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) web: Option<Arc<Web>>,
    pub(super) limits: ServerLimits,
    /// Cancelled when the server drains: each connection closes when its calls have ended.
    pub(super) draining: CancellationToken,
}

impl Connections {
    /// Serves one connection until it ends.
    pub(super) async fn serve(&self, stream: TcpStream) {
        let ends = stream
            .set_nodelay(true)
            .and_then(|()| Ok((stream.peer_addr()?, stream.local_addr()?)));
        // Only a connection that is already closed has no addresses.
        let Ok((peer, local)) = ends else { return };
        let Some(tls) = &self.tls else {
            return self.serve_http(stream, peer, local).await;
        };
        let handshake = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
        match self.draining.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => self.serve_http(stream, peer, local).await,
            Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Some(Err(_)) => tracing::debug!(%peer, "TLS handshake timed out"),
            None => {}
        }
    }

    async fn serve_http<S>(&self, stream: S, peer: SocketAddr, local: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, preface) = preface::watched(stream);
        let coalescing = Coalescing::new(stream);
        let calls = OpenCalls::default();
        let open = calls.clone();
        let idle = open.idle(self.limits.clients.max_connection_idle);
        let (bridge, web) = (Arc::clone(&self.bridge), self.web.clone());
        let ends = Arc::new(Ends {
            peer: peer.into(),
            local: local.into(),
        });
        let service = service_fn(move |request: Request<Incoming>| {
            let call = calls.begin();
            let request = request.map(RequestBody::from);
            // Not an async block, which would hold the future twice.
            respond(Arc::clone(&bridge), web.clone(), Arc::clone(&ends), request)
                .map(|response| Ok::<_, Infallible>(response.map(|body| body.counted(call))))
        });
        let http = self.http();
        let turns = coalescing.share();
        let http = http.serve_connection(TokioIo::new(coalescing), service);
        let mut connection = Turns::new(http, turns);
        let grace = tokio::select! {
            result = &mut connection => return log(peer, result),
            () = preface.overdue(HANDSHAKE_TIMEOUT) => {
                return tracing::debug!(%peer, "timed out waiting for the HTTP preface");
            }
            () = self.draining.cancelled() => None,
            () = idle => None,
            () = self.max_age() => self.limits.clients.max_connection_age_grace,
        };
        connection.inner().graceful_shutdown();
        match grace {
            None => log(peer, connection.await),
            Some(grace) => match timeout(grace, connection).await {
                Ok(result) => log(peer, result),
                Err(_) => tracing::debug!(%peer, "aborting the calls of an old connection"),
            },
        }
    }

    fn http(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.clients.max_concurrent_streams)
            .max_frame_size(MAX_FRAME_SIZE)
            .max_header_list_size(self.limits.max_header_list_size)
            .keep_alive_interval(self.limits.clients.keepalive_time)
            .keep_alive_timeout(self.limits.clients.keepalive_timeout)
            .auto_date_header(false);
        builder.http1().timer(TokioTimer::new());
        if self.web.is_some() {
            builder
        } else {
            builder.http2_only()
        }
    }

    /// As in gRPC's servers, "a random jitter of +/-10% will be added to it to spread out connection storms".
    async fn max_age(&self) {
        match self.limits.clients.max_connection_age {
            Some(age) => sleep(age.mul_f64(0.9 + 0.2 * fastrand::f64())).await,
            None => pending().await,
        }
    }
}

/// Boxed, since the future moves several times on its way into the task of its stream.
fn respond(
    bridge: Arc<Bridge>,
    web: Option<Arc<Web>>,
    ends: Arc<Ends>,
    request: Request<RequestBody>,
) -> BoxFuture<'static, Response<ResponseBody>> {
    match web.filter(|web| web.is_for(&request)) {
        Some(web) => Box::pin(async move {
            let call = |request| call::serve(Arc::clone(&bridge), Arc::clone(&ends), request);
            web.serve(request, call).await
        }),
        None => Box::pin(call::serve(bridge, ends, request)),
    }
}

fn log(peer: SocketAddr, result: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "the connection broke");
    }
}
