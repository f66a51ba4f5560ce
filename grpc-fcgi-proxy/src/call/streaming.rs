//! A streaming call: messages pass both ways as they come.
//!
//! The exchange runs in a task of its own. What it holds of a call is bounded: 64 KiB that are still to be written to
//! php-fpm, one FastCGI record that is being read, and `PIECES` of these on their way to the client. A message that is
//! compressed, or to be compressed, is held whole besides; its size has a limit of its own.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::observed::{CountedExchange, Observed};
use super::request_body::RequestBody;
use super::requests::Requests;
use super::response_body::{self, Outcome, respond};
use super::{Call, broken_off, failed};
use crate::binding::answers::{Answer, Answers};
use crate::binding::frame::CANCELLED;
use crate::binding::head::{Head, HeadDecoder, ResponseError};
use crate::binding::variables::Input;
use crate::call::error::CallError;
use crate::fastcgi::connection::Connection;
use crate::fastcgi::exchange::{Exchange, Output};
use crate::telemetry::ApplicationLog;
use grpc_wire::encoding::Encoding;
use grpc_wire::message;
use grpc_wire::status::{Code, Status};

/// Pieces of messages on their way to the client.
const PIECES: usize = 2;
/// How long a script may go on when it has sent the trailers.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves the call until its header fields can go out.
pub(super) async fn run(
    call: &Call<'_>,
    observed: Observed,
    body: RequestBody,
) -> Response<response_body::Answer> {
    let task = {
        let work = pin!(start(call, &observed, body));
        call.in_time(work).await
    };
    let task = match task {
        Ok(task) => task,
        Err(error) => return failed(observed, &error),
    };
    let (head, opening) = oneshot::channel();
    let (frames, rest) = mpsc::channel(PIECES);
    tokio::spawn(task.run(
        observed,
        Client {
            head: Some(head),
            frames,
        },
    ));
    match opening.await {
        Ok(Opening::Stream(metadata, encoding)) => response_body::stream(metadata, encoding, rest),
        Ok(Opening::Whole(outcome)) => respond(*outcome),
        Err(_) => respond(Outcome::failed(Status::new(
            Code::Unavailable,
            "the proxy is stopping",
        ))),
    }
}

async fn start(call: &Call<'_>, observed: &Observed, body: RequestBody) -> Result<Task, CallError> {
    let opening = call.opening(Input::Stream)?;
    let connection = call.bridge.pool.acquire_stream().await?;
    let received = Arc::new(AtomicU64::new(0));
    let requests = Requests::new(call, body, Arc::clone(&received));
    Ok(Task {
        exchange: Exchange::new(connection, opening, requests).half_closing(),
        counted: CountedExchange::begin(call.bridge),
        log: observed.application_log(),
        request_headers: call.headers().clone(),
        send_limit: call.bridge.limits.send_message,
        received,
        sent: 0,
        answered: false,
        left_out: 0,
        deadline: call.deadline,
        stopping: call.bridge.stopping.clone(),
    })
}

/// How the response begins.
enum Opening {
    /// With header fields; messages follow.
    Stream(HeaderMap, Option<Encoding>),
    /// It ends at once.
    Whole(Box<Outcome>),
}

/// The way to the client.
struct Client {
    /// Until the header fields have gone out.
    head: Option<oneshot::Sender<Opening>>,
    frames: mpsc::Sender<Frame<Bytes>>,
}

impl Client {
    fn begin(&mut self, opening: Opening) {
        if let Some(head) = self.head.take() {
            // Nobody waits for it any more if the client is gone.
            let _ = head.send(opening);
        }
    }

    async fn end(mut self, outcome: Outcome) {
        if self.head.is_some() {
            self.begin(Opening::Whole(Box::new(outcome)));
            return;
        }
        let mut trailers = outcome.trailers;
        outcome.status.write(&mut trailers);
        let _ = self.frames.send(Frame::trailers(trailers)).await;
    }
}

/// The exchange of one call.
struct Task {
    exchange: Exchange<Connection, Requests>,
    counted: CountedExchange,
    log: ApplicationLog,
    request_headers: HeaderMap,
    send_limit: usize,
    received: Arc<AtomicU64>,
    sent: u64,
    answered: bool,
    /// Fields of the answer that gRPC can't carry.
    left_out: usize,
    deadline: Option<Instant>,
    stopping: CancellationToken,
}

impl Task {
    async fn run(mut self, mut observed: Observed, mut client: Client) {
        let frames = client.frames.clone();
        let (deadline, stopping) = (self.deadline, self.stopping.clone());
        let result = tokio::select! {
            // With the response, whoever waits for it is gone.
            () = frames.closed() => None,
            error = broken_off(deadline, &stopping) => Some(Err(error)),
            result = self.run_exchange(&mut client) => match result {
                // The client has reset its stream.
                Err(CallError::RequestBroken(_)) => None,
                result => Some(result),
            },
        };
        observed.set_messages(self.received.load(Ordering::Relaxed), self.sent);
        observed.left_out(self.left_out);
        if self.answered {
            observed.set_answered();
        }
        if let None | Some(Err(CallError::DeadlineExceeded | CallError::Stopping)) = result {
            self.exchange.abandon(message::encode(CANCELLED, &[]));
        }
        let Some(result) = result else { return };
        self.counted.ended(&result);
        let outcome = result.unwrap_or_else(|error| observed.fail(&error));
        // The connection is closed, and its place free, before the client learns that the call has ended.
        let (connection, progress) = self.exchange.into_connection();
        connection.release(progress);
        observed.end(outcome.status.code);
        client.end(outcome).await;
    }

    async fn run_exchange(&mut self, client: &mut Client) -> Result<Outcome, CallError> {
        let (head, body) = self.head().await?;
        self.left_out = head.left_out;
        if let Some(status) = head.status {
            // The header fields have said it all; what follows is an error page.
            self.answered = true;
            self.rest().await;
            return Ok(Outcome {
                status,
                metadata: head.metadata,
                trailers: head.trailers,
                ..Outcome::default()
            });
        }
        let encoding = head
            .encoding
            .filter(|encoding| encoding.is_accepted(&self.request_headers));
        client.begin(Opening::Stream(head.metadata, encoding));
        let mut answers = Answers::new(self.send_limit, encoding);
        answers.push(body)?;
        loop {
            while let Some(answer) = answers.next()? {
                self.sent = answers.messages();
                match answer {
                    Answer::Messages(bytes) => self.send(&client.frames, bytes).await?,
                    Answer::Trailers(trailers) => {
                        self.answered = true;
                        self.left_out += trailers.left_out;
                        self.rest().await;
                        return Ok(Outcome {
                            status: trailers.status,
                            trailers: trailers.metadata,
                            ..Outcome::default()
                        });
                    }
                }
            }
            let bytes = self.output().await?.ok_or(CallError::EndedEarly)?;
            answers.push(bytes)?;
        }
    }

    async fn head(&mut self) -> Result<(Head, Bytes), CallError> {
        let mut decoder = HeadDecoder::default();
        loop {
            let piece = self.output().await?.ok_or(ResponseError::NoEndOfHead)?;
            if let Some(found) = decoder.push(&piece)? {
                return Ok(found);
            }
        }
    }

    /// Waits for the script's end, when nothing can come of it any more; not for long, since the client waits too.
    async fn rest(&mut self) {
        self.exchange.end_input();
        let rest = async { while let Ok(Some(_)) = self.output().await {} };
        let _ = timeout(FAREWELL, rest).await;
    }

    /// The next piece of STDOUT; the requests go on meanwhile.
    async fn output(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let output = poll_fn(|cx| match self.exchange.poll_request(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => self.exchange.poll_answer(cx).map_err(CallError::from),
            });
            match output.await? {
                Some(Output::Stdout(piece)) => return Ok(Some(piece)),
                Some(Output::Stderr(piece)) => self.log.push(&piece),
                None => return Ok(None),
            }
        }
    }

    /// Passes bytes to the client as soon as it takes them; the requests go on meanwhile.
    async fn send(
        &mut self,
        frames: &mpsc::Sender<Frame<Bytes>>,
        bytes: Bytes,
    ) -> Result<(), CallError> {
        let mut sent = pin!(frames.send(Frame::data(bytes)));
        poll_fn(|cx| match self.exchange.poll_request(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // That the client is gone is seen elsewhere.
            _ => sent.as_mut().poll(cx).map(|_| Ok(())),
        })
        .await
    }
}
