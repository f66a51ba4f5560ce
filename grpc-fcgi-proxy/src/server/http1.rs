//! One connection over HTTP/1.1, which only gRPC-Web uses.

use std::convert::Infallible;
use std::pin::pin;

use futures_util::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::call::{RequestBody, ResponseBody};

/// Serves the connection until it ends; after `closing`, until the running call has ended.
pub(super) async fn serve<S, F>(
    stream: S,
    closing: CancellationToken,
    respond: impl Fn(Request<RequestBody>) -> F,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<ResponseBody>>,
{
    let service = service_fn(|request: Request<Incoming>| {
        respond(request.map(RequestBody::from)).map(Ok::<_, Infallible>)
    });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        result = &mut connection => return result,
        () = closing.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
