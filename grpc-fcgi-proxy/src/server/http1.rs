//! One connection over HTTP/1.1, which gRPC does not use.
//!
//! A call may end before its request does. The rest of the request is read away within limits, so that the connection can
//! carry the next one. Over the limits, the response says that the connection closes; it is then closed as RFC 9112, 9.6,
//! recommends: "If a server performs an immediate close of a TCP connection, there is a significant risk that the client
//! will not be able to read the last HTTP response."

use std::convert::Infallible;
use std::future::{self, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::limits::ServerLimits;
use crate::call::{Http1Body, RequestBody, ResponseBody, Unread};

/// How much of a request is read away after its call has ended: several times the largest message by default. Whatever
/// comes after the response is read too.
const MAX_REST: usize = 16 * 1024 * 1024;
/// How long that may take, and how long the client may send nothing meanwhile.
const REST_TIMEOUT: Duration = Duration::from_secs(10);
const REST_IDLE: Duration = Duration::from_secs(1);
/// Of what is read after the response.
const BUFFER: usize = 16 * 1024;

/// Serves the connection until it ends; after `closing`, until the running call has ended.
pub(super) async fn serve<S, F>(
    stream: S,
    limits: ServerLimits,
    closing: CancellationToken,
    respond: impl Fn(Request<RequestBody>) -> F,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<ResponseBody>> + Send,
{
    let service = service_fn(|request: Request<Incoming>| {
        // RFC 9110, 10.1.1: this client waits to be asked for its content, which reading it would do.
        let may_drain = !request.headers().contains_key(header::EXPECT);
        let (head, body) = request.into_parts();
        let (body, unread) = Http1Body::new(body);
        let call = names_host(&head).then(|| respond(Request::from_parts(head, body.into())));
        let closing = closing.clone();
        let response = async move {
            let response = match call {
                Some(call) => call.await,
                None => bad_request(),
            };
            finish(response, unread, may_drain, closing).await
        };
        response.map(Ok::<_, Infallible>).boxed()
    });
    // hyper polls a response only while the client takes it, so its body cannot notice a client that does not.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.clients.max_response_idle));
    let stream = Box::pin(stream);
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new());
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut ended = poll_fn(|cx| connection.poll_without_shutdown(cx));
    let result = tokio::select! {
        result = &mut ended => result,
        () = closing.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    linger(connection.into_parts().io.into_inner()).await;
    result
}

/// RFC 9112, section 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
/// lacks a Host header field and to any request message that contains more than one".
fn names_host(head: &Parts) -> bool {
    let count = head.headers.get_all(header::HOST).iter().count();
    count == 1 || count == 0 && head.version < Version::HTTP_11
}

fn bad_request() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// A response whose end waits for the end of its request.
struct Http1Response {
    content: ResponseBody,
    /// The rest of the request.
    rest: Option<BoxFuture<'static, bool>>,
}

impl From<ResponseBody> for Http1Response {
    fn from(content: ResponseBody) -> Self {
        Self {
            content,
            rest: None,
        }
    }
}

/// Before a response without content, the rest of the request is read: the response can then say whether the connection
/// closes. Content does not wait for the client.
async fn finish(
    mut response: Response<ResponseBody>,
    mut unread: Unread,
    may_drain: bool,
    closing: CancellationToken,
) -> Response<Http1Response> {
    let waits = !response.body().is_end_stream();
    let unread = match unread.try_recv() {
        Ok(body) if !may_drain || is_too_long(&body) => return closed(response),
        Ok(body) => future::ready(Ok(body)).left_future(),
        // The call may still read it.
        Err(TryRecvError::Empty) => unread.right_future(),
        Err(TryRecvError::Closed) => return response.map(Http1Response::from),
    };
    let drained = async move {
        let drained = async {
            match unread.await {
                Ok(body) => drain(body).await,
                Err(_) => true,
            }
        };
        closing.run_until_cancelled(drained).await.unwrap_or(false)
    };
    if waits {
        let rest = Some(drained.boxed());
        // hyper would end the response where the content does.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        return response.map(|content| Http1Response { content, rest });
    }
    match drained.await {
        true => response.map(Http1Response::from),
        false => closed(response),
    }
}

fn closed(mut response: Response<ResponseBody>) -> Response<Http1Response> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response.map(Http1Response::from)
}

fn is_too_long(body: &Incoming) -> bool {
    body.size_hint().lower() > MAX_REST as u64
}

/// Reads the rest of a request. False if it does not end within the limits.
async fn drain(mut body: Incoming) -> bool {
    let rest = async {
        let mut read = 0;
        while read <= MAX_REST {
            match timeout(REST_IDLE, body.frame()).await {
                Ok(Some(Ok(frame))) => read += frame.data_ref().map_or(0, Bytes::len),
                Ok(None) => return true,
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        false
    };
    timeout(REST_TIMEOUT, rest).await.unwrap_or(false)
}

/// Ends the connection so that the client can read the response, whatever it still sends.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        stream.shutdown().await?;
        let mut buffer = vec![0; BUFFER];
        while timeout(REST_IDLE, stream.read(&mut buffer)).await?? > 0 {}
        io::Result::Ok(())
    };
    // Nothing is left to do if the client does not end.
    let _ = timeout(REST_TIMEOUT, rest).await;
}

impl Body for Http1Response {
    type Data = Bytes;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Some(frame) = ready!(Pin::new(&mut this.content).poll_frame(cx)) {
            return Poll::Ready(Some(frame));
        }
        // A body must not be polled after its end.
        this.content = ResponseBody::default();
        if let Some(rest) = &mut this.rest {
            ready!(rest.as_mut().poll(cx));
            this.rest = None;
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream() && self.rest.is_none()
    }
}
