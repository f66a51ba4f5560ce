//! One connection over HTTP/2: its limits, its calls, and its end.
//!
//! h2 is used directly, since the window of a request must open only as its call takes the bytes, while the bytes
//! themselves are taken out of h2 at once (`call/received.rs`).

use std::pin::pin;

use bytes::Bytes;
use futures_util::future::{BoxFuture, poll_fn};
use h2::server::{Builder, Connection};
use h2::{Ping, PingPong};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::arrivals::LastRead;
use super::coalesce::{Coalescing, Turns};
use super::limits::ServerLimits;
use super::stream;
use crate::call::{self, RequestBody, ResponseBody};

/// The largest frame of a client in bytes: as much as a record carries to the application. With HTTP/2's default of
/// 16 KiB a large message takes four times the frames, and a fifth more CPU time.
const MAX_FRAME_SIZE: u32 = 64 * 1024;
/// How many bytes of a request a client may send before its call takes them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// RFC 9113, section 6.9.1.
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// How many bytes of a response HTTP/2 holds for one call.
const MAX_SEND_BUFFER: usize = 128 * 1024;
/// What h2 calls the overhead of small DATA frames, in bytes: up to 256 each. That of frames which the stream's task reads is
/// given back in the same turn; that of frames on streams which were reset is not, so an old connection has some.
const DATA_FRAME_BUDGET: usize = 1 << 30;
/// The fewest streams that a client may reset before their calls have begun, which is what CVE-2023-44487 does without
/// end. Clients with short deadlines do it too whenever the proxy is slower.
const MIN_EARLY_RESETS: usize = 1024;
/// How many streams of a connection the proxy may have to reset for violations of HTTP/2. A late frame on a stream that
/// has just ended counts, so an old connection of a proxy with many callers has some.
const MAX_VIOLATIONS: usize = 16 * 1024;

/// Serves the connection until it ends; after `closing`, until the running calls have ended.
pub(super) async fn serve<S>(
    stream: S,
    last_read: LastRead,
    limits: ServerLimits,
    closing: CancellationToken,
    respond: impl Fn(Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>>,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let coalescing = Coalescing::new(stream);
    let turns = coalescing.share();
    Turns::new(run(coalescing, last_read, limits, closing, respond), turns).await
}

async fn run<S>(
    stream: Coalescing<S>,
    last_read: LastRead,
    limits: ServerLimits,
    closing: CancellationToken,
    respond: impl Fn(Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>>,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = builder(&limits).handshake(stream);
    let Some(connection) = closing.run_until_cancelled(handshake).await else {
        return Ok(());
    };
    let mut connection: Connection<_, Bytes> = connection?;
    let mut closing = pin!(closing.cancelled_owned());
    let mut closes = false;
    let mut dead = pin!(dead(connection.ping_pong(), last_read, limits));
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = poll_fn(|cx| connection.poll_accept(cx)) => accepted,
            () = &mut closing, if !closes => {
                closes = true;
                connection.graceful_shutdown();
                continue;
            }
            () = &mut dead => return Ok(()),
        };
        let Some(accepted) = accepted else {
            return Ok(());
        };
        let (request, reply) = accepted?;
        let (head, body) = request.into_parts();
        let (receiver, received) = call::receive(body);
        let call = respond(Request::from_parts(head, received.into()));
        tokio::spawn(stream::serve(
            receiver,
            call,
            reply,
            limits.clients.max_response_idle,
        ));
    }
}

fn builder(limits: &ServerLimits) -> Builder {
    let streams = limits.clients.max_concurrent_streams;
    let reset_streams = usize::try_from(streams).unwrap_or(usize::MAX);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(streams)
        .max_frame_size(MAX_FRAME_SIZE)
        .max_header_list_size(limits.max_header_list_size)
        .max_send_buffer_size(MAX_SEND_BUFFER)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW.saturating_mul(streams).min(MAX_WINDOW))
        .data_frame_budget(DATA_FRAME_BUDGET)
        .max_concurrent_reset_streams(reset_streams)
        .max_pending_accept_reset_streams(reset_streams.max(MIN_EARLY_RESETS))
        .max_local_error_reset_streams(Some(MAX_VIOLATIONS));
    builder
}

/// Returns when the client has been silent, and has not acknowledged a PING either.
async fn dead(ping_pong: Option<PingPong>, last_read: LastRead, limits: ServerLimits) {
    let Some(mut ping_pong) = ping_pong else {
        return std::future::pending().await;
    };
    loop {
        last_read.silent(limits.clients.keepalive_time).await;
        let pong = async {
            ping_pong.send_ping(Ping::opaque())?;
            poll_fn(|cx| ping_pong.poll_pong(cx)).await
        };
        match timeout(limits.clients.keepalive_timeout, pong).await {
            Ok(Ok(_)) => {}
            // The connection is ending.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => return,
        }
    }
}
