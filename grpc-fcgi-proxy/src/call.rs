//! One call from end to end: the only place that names every step.
//!
//! Runs inside the task of its HTTP/2 stream. If the client goes away the task is dropped, and with it the
//! connection to php-fpm.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::error::CallError;
use crate::fcgi::exchange::{Exchange, Output};
use crate::fcgi::pool::Pool;
use crate::grpc::message::{Decoder, Encoder, Message};
use crate::grpc::status::{self, Code, Status};
use crate::grpc::{metadata, timeout};
use crate::metrics::{CallMetrics, Metrics};
use crate::params::{self, Script, Variables};
use crate::response::{Head, HeadDecoder, ResponseError};
use crate::route::Method;
use crate::telemetry::{ApplicationLog, RequestId};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// What a message may be compressed with. PHP never sees a compressed one.
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("identity");

/// What every call needs.
#[derive(Debug)]
pub struct Bridge {
    /// The way to php-fpm.
    pub pool: Pool,
    /// What it runs.
    pub script: Script,
    /// Bounds on what a call may carry.
    pub limits: CallLimits,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Bounds on what a call may carry, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// A message from the client.
    pub receive_message: usize,
    /// A message of the application.
    pub send_message: usize,
    /// All header fields of a request.
    pub metadata: usize,
}

/// Both ends of the client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The client's.
    pub peer: SocketAddr,
    /// The proxy's.
    pub local: SocketAddr,
}

/// How a call ended. Whatever is wrong with a call is a status, never an error.
struct Outcome {
    status: Status,
    metadata: HeaderMap,
    trailers: HeaderMap,
    message: Option<Bytes>,
}

impl Outcome {
    fn failed(status: Status) -> Self {
        Self {
            status,
            metadata: HeaderMap::new(),
            trailers: HeaderMap::new(),
            message: None,
        }
    }
}

/// Serves one request.
pub async fn serve(
    bridge: Arc<Bridge>,
    ends: Ends,
    request: Request<Incoming>,
) -> Response<Answer> {
    if !is_grpc(request.headers()) {
        return unsupported_media_type();
    }
    let (head, body) = request.into_parts();
    let mut observed = Observed::begin(&bridge, head.uri.path(), &head.headers);
    let result = observed.run(&head, ends, body).await;
    let outcome = result.unwrap_or_else(|error| {
        observed.error = Some(error.to_string());
        Outcome::failed(error.status())
    });
    observed.end(outcome.status.code);
    respond(outcome)
}

/// PROTOCOL-HTTP2: "Content-Type → "content-type" "application/grpc" [("+proto" / "+json" / {custom})]"; for
/// anything else "gRPC servers should respond with HTTP status of 415 (Unsupported Media Type)".
fn is_grpc(headers: &HeaderMap) -> bool {
    let subtype = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    matches!(subtype, Some([] | [b'+' | b';', ..]))
}

fn unsupported_media_type() -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// A call together with what is told of it when it ends, even if the client breaks it off.
struct Observed<'a> {
    bridge: &'a Bridge,
    path: String,
    metrics: CallMetrics,
    request_id: RequestId,
    /// The application gave the status.
    answered: bool,
    error: Option<String>,
    ended: bool,
}

impl<'a> Observed<'a> {
    fn begin(bridge: &'a Bridge, path: &str, headers: &HeaderMap) -> Self {
        Self {
            bridge,
            path: path.to_owned(),
            metrics: bridge.metrics.begin(path),
            request_id: RequestId::of(headers),
            answered: false,
            error: None,
            ended: false,
        }
    }

    async fn run(
        &mut self,
        head: &http::request::Parts,
        ends: Ends,
        body: Incoming,
    ) -> Result<Outcome, CallError> {
        let method = Method::parse(head.uri.path())?;
        metadata::check_size(&head.headers, self.bridge.limits.metadata)?;
        let deadline = match head.headers.get("grpc-timeout") {
            Some(value) => self
                .metrics
                .start
                .checked_add(timeout::decode(value.as_bytes())?),
            None => None,
        };
        let authority = head
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        let call = Call {
            method,
            authority,
            headers: &head.headers,
            ends,
            deadline,
        };
        match deadline {
            Some(deadline) => timeout_at(deadline, self.exchange(&call, body))
                .await
                .unwrap_or(Err(CallError::DeadlineExceeded)),
            None => self.exchange(&call, body).await,
        }
    }

    async fn exchange(&mut self, call: &Call<'_>, body: Incoming) -> Result<Outcome, CallError> {
        let message = self.receive(call.headers, body).await?;
        let opening = params::encode(&Variables {
            script: &self.bridge.script,
            method: call.method,
            authority: call.authority,
            headers: call.headers,
            content_length: message.len(),
            time_left: call
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now())),
            peer: call.ends.peer,
            local: call.ends.local,
        })?;
        let connection = self.bridge.pool.acquire().await?;
        let exchange = Exchange::new(connection, opening, stream::iter([message]));
        let mut counted = CountedExchange {
            metrics: &self.bridge.metrics,
            outcome: "abandoned",
        };
        let result = self.answer(exchange).await;
        counted.outcome = if result.is_ok() { "complete" } else { "failed" };
        let (head, message) = result?;
        self.answered = true;
        Ok(self.outcome(head, message))
    }

    /// Reads the request to its end: a unary call has exactly one message.
    async fn receive(
        &mut self,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<Bytes, CallError> {
        let mut decoder = Decoder::new(self.bridge.limits.receive_message);
        let mut only = None;
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(CallError::RequestBroken)?.into_data() else {
                continue;
            };
            decoder.push(piece);
            while let Some(message) = decoder.decode().map_err(CallError::RequestMessage)? {
                self.metrics.received += 1;
                if only.replace(plain(message, headers)?).is_some() {
                    return Err(CallError::MessageCount("several"));
                }
            }
        }
        decoder.finish().map_err(CallError::RequestMessage)?;
        only.ok_or(CallError::MessageCount("no"))
    }

    /// Reads the answer to its end: only then is it known to be whole.
    async fn answer<C, I>(&self, mut exchange: Exchange<C, I>) -> Result<(Head, Encoder), CallError>
    where
        C: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
        I: stream::Stream<Item = Bytes> + Unpin,
    {
        let mut log = ApplicationLog::new(&self.path, &self.request_id);
        let mut decoder = HeadDecoder::default();
        let mut head = None;
        let mut message = Encoder::new(self.bridge.limits.send_message);
        while let Some(output) = exchange.next().await? {
            let mut piece = match output {
                Output::Stdout(piece) => piece,
                Output::Stderr(piece) => {
                    log.push(&piece);
                    continue;
                }
            };
            if head.is_none() {
                let Some((parsed, rest)) = decoder.push(&piece)? else {
                    continue;
                };
                head = Some(parsed);
                piece = rest;
            }
            message.push(&piece).map_err(CallError::ResponseMessage)?;
        }
        Ok((head.ok_or(ResponseError::NoEndOfHead)?, message))
    }

    fn outcome(&mut self, head: Head, message: Encoder) -> Outcome {
        if head.left_out > 0 {
            tracing::warn!(
                method = self.path,
                request_id = %self.request_id,
                fields = head.left_out,
                "header fields of the application that gRPC cannot carry were left out"
            );
        }
        let Head {
            status,
            metadata,
            trailers,
            ..
        } = head;
        // A call that failed has no message: what the body says then is an error page.
        let message = (status.code == Code::Ok).then(|| message.finish());
        self.metrics.sent += u64::from(message.is_some());
        Outcome {
            status,
            metadata,
            trailers,
            message,
        }
    }

    fn end(&mut self, code: Code) {
        self.ended = true;
        let method = Method::parse(&self.path).ok();
        self.bridge
            .metrics
            .end(&self.metrics, method, code, self.answered);
        let code = status::label(code);
        let seconds = self.metrics.start.elapsed().as_secs_f64();
        let (method, request_id) = (
            method.map_or("unknown", |method| method.path),
            &self.request_id,
        );
        match &self.error {
            Some(error) => tracing::warn!(method, %request_id, code, seconds, error, "call failed"),
            None => tracing::info!(method, %request_id, code, seconds, "call"),
        }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Code::Cancelled);
        }
    }
}

/// What a call's request says, before its message.
struct Call<'a> {
    method: Method<'a>,
    authority: &'a str,
    headers: &'a HeaderMap,
    ends: Ends,
    deadline: Option<Instant>,
}

/// Counts how an exchange ended; one that is dropped was abandoned.
struct CountedExchange<'a> {
    metrics: &'a Metrics,
    outcome: &'static str,
}

impl Drop for CountedExchange<'_> {
    fn drop(&mut self) {
        self.metrics
            .exchanges
            .with_label_values(&[self.outcome])
            .inc();
    }
}

fn plain(message: Message, headers: &HeaderMap) -> Result<Bytes, CallError> {
    if !message.compressed {
        return Ok(message.content);
    }
    match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Err(CallError::CompressedWithoutEncoding),
        Some(_) => Err(CallError::EncodingUnknown),
    }
}

fn respond(outcome: Outcome) -> Response<Answer> {
    let Outcome {
        status,
        metadata,
        mut trailers,
        message,
    } = outcome;
    let mut response = Response::new(Answer::default());
    *response.headers_mut() = metadata;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert("grpc-accept-encoding", ACCEPT_ENCODING);
    if message.is_none() && trailers.is_empty() {
        // "Trailers-Only": one HEADERS block that ends the stream.
        status.write(headers);
    } else {
        status.write(&mut trailers);
        *response.body_mut() = Answer {
            message,
            trailers: Some(trailers),
        };
    }
    response
}

/// The body of a response: at most one message, then the trailers.
#[derive(Debug, Default)]
pub struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.message.take() {
            Some(message) => Some(Frame::data(message)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Without a hint: a length of 0 would become a content-length, which gRPC does not use.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_content_types_pass() {
        let table = [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpcx", false),
            ("application/json", false),
        ];
        for (value, passes) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_grpc(&headers), passes, "{value}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_failed_call_is_one_header_block() {
        let response = respond(Outcome::failed(Status::new(Code::NotFound, "no")));
        assert!(response.body().is_end_stream());
        assert_eq!(response.headers()["grpc-status"], "5");
    }
}
