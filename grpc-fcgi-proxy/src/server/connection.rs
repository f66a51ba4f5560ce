//! One connection of a client: TLS, HTTP, and what ends it.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use h2::Reason;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::arrivals::{self, LastRead};
use super::front_ends::FrontEnds;
use super::limits::ServerLimits;
use super::tls::{self, Tls};
use super::{http1, http2};
use crate::binding::tls_variables::TlsVariables;
use crate::call::{self, Bridge, Client, Forwarding, OpenCalls, RequestBody, ResponseBody};
use crate::share::Holdings;

/// How long a client may take for the TLS handshake, and then for the first bytes of HTTP.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The latter where HTTP/1.1 is served: its clients open connections in advance, and may lose a request on one that closes.
const HTTP1_START_TIMEOUT: Duration = Duration::from_secs(30);

/// The parts that all connections share.
pub(super) struct Connections {
    pub(super) bridge: Arc<Bridge>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) front_ends: Arc<FrontEnds>,
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
        if self.front_ends.use_http1() {
            self.limits.keep_alive(&stream);
        }
        let Some(tls) = &self.tls else {
            return self.serve_http(stream, peer, local, None).await;
        };
        let handshake = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream));
        match self.draining.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => {
                let tls = Some(tls::variables(stream.get_ref().1));
                self.serve_http(stream, peer, local, tls).await;
            }
            Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Some(Err(_)) => tracing::debug!(%peer, "TLS handshake timed out"),
            None => {}
        }
    }

    async fn serve_http<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        local: SocketAddr,
        tls: Option<TlsVariables>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, arrivals) = arrivals::watched(stream);
        let calls = OpenCalls::default();
        let open = calls.clone();
        let idle = open.idle(self.limits.clients.max_connection_idle);
        let (bridge, front_ends) = (Arc::clone(&self.bridge), Arc::clone(&self.front_ends));
        let client = Arc::new(Client {
            peer: peer.into(),
            local: local.into(),
            tls,
            forwarding: Forwarding::of(self.bridge.trusted_proxies.as_ref(), peer.ip()),
            holdings: Holdings::default(),
        });
        let respond = move |request| {
            let call = calls.begin();
            // Not an async block, which would hold the future twice.
            respond(
                Arc::clone(&bridge),
                Arc::clone(&front_ends),
                Arc::clone(&client),
                request,
            )
            .map(|response| response.map(|body| body.counted(call)))
            .boxed()
        };
        let start_timeout = match self.front_ends.use_http1() {
            true => HTTP1_START_TIMEOUT,
            false => HANDSHAKE_TIMEOUT,
        };
        let closing = CancellationToken::new();
        let mut connection =
            pin!(self.serve_calls(stream, arrivals.last_read, closing.clone(), respond));
        let grace = tokio::select! {
            result = &mut connection => return log(peer, result),
            () = arrivals.preface.overdue(start_timeout) => {
                return tracing::debug!(%peer, "timed out waiting for the HTTP preface");
            }
            () = self.draining.cancelled() => None,
            () = idle => None,
            () = self.max_age() => self.limits.clients.max_connection_age_grace,
        };
        closing.cancel();
        match grace {
            None => log(peer, connection.await),
            Some(grace) => match timeout(grace, connection).await {
                Ok(result) => log(peer, result),
                Err(_) => tracing::debug!(%peer, "aborting the calls of an old connection"),
            },
        }
    }

    /// HTTP/1.1 is for the other protocols only.
    async fn serve_calls<S>(
        &self,
        stream: S,
        last_read: LastRead,
        closing: CancellationToken,
        respond: impl Fn(Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>>,
    ) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.front_ends.use_http1() {
            http2::serve(stream, last_read, self.limits, closing, respond).await?;
            return Ok(());
        }
        let begin = arrivals::is_http2(stream);
        let Some(begun) = closing.run_until_cancelled(begin).await else {
            return Ok(());
        };
        let (is_http2, stream) = begun?;
        if is_http2 {
            http2::serve(stream, last_read, self.limits, closing, respond).await?;
        } else {
            // Boxed, since most connections are HTTP/2.
            Box::pin(http1::serve(stream, self.limits, closing, respond)).await?;
        }
        Ok(())
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
    front_ends: Arc<FrontEnds>,
    client: Arc<Client>,
    mut request: Request<RequestBody>,
) -> BoxFuture<'static, Response<ResponseBody>> {
    client.forwarding.filter(request.headers_mut());
    if !front_ends.are_for(&request) {
        return Box::pin(call::serve(bridge, client, request));
    }
    Box::pin(async move {
        // Boxed, since each layer would move it.
        let call = |request| call::serve(Arc::clone(&bridge), Arc::clone(&client), request).boxed();
        front_ends.serve(request, call).await
    })
}

/// Why a connection broke.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    #[error(transparent)]
    Http2(#[from] h2::Error),
}

impl ConnectionError {
    /// Whether the proxy ended the connection because its client exceeds the limits of HTTP/2.
    fn is_abuse(&self) -> bool {
        matches!(self, Self::Http2(error)
            if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM))
    }
}

fn log(peer: SocketAddr, result: Result<(), ConnectionError>) {
    match result {
        Ok(()) => {}
        Err(error) if error.is_abuse() => {
            tracing::warn!(%peer, %error, "closed the connection of a client that exceeds the limits of HTTP/2");
        }
        Err(error) => tracing::debug!(%peer, %error, "the connection broke"),
    }
}
