//! A streaming call: messages pass both ways as they arrive.
//!
//! The call runs in a task of its own, with bounded memory: 64 KiB of requests that wait to be written, one record
//! that is being read, and `PIECES` pieces on their way to the client. A compressed message is held whole as well; its
//! size has its own limit.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use grpc_wire::encoding::Encoding;
use http::{HeaderMap, Response};
use http_body::Frame;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::bounds;
use super::bridge::CallLimits;
use super::compression::Compression;
use super::error::CallError;
use super::load_report::CallReports;
use super::observed::Observed;
use super::request::{CallRequest, aborted};
use super::request_body::RequestBody;
use super::requests::Requests;
use super::response::{self, Outcome};
use super::response_body::ResponseBody;
use crate::application::Answers;
use crate::binding::answers::{AnswerDecoder, AnswerError, AnswerPart};
use crate::binding::dropped::DroppedFields;
use crate::binding::head::Trailers;
use crate::binding::load_report::{OrcaLoadReport, SERVER_REPORT};
use crate::binding::variables::Input;

/// Pieces of messages on their way to the client.
const PIECES: usize = 2;
/// How long a script may run on after it has sent the trailers.
const SCRIPT_END_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves the call until its header fields are ready; the rest runs in a task.
pub(super) async fn run(
    call: &CallRequest<'_>,
    mut observed: Observed,
    body: RequestBody,
) -> Response<ResponseBody> {
    let received = Arc::new(AtomicU64::new(0));
    let begun = {
        let begin = std::pin::pin!(begin(call, &observed, body, Arc::clone(&received)));
        call.in_time(begin).await
    };
    let answers = match begun {
        Ok(answers) => answers,
        Err(error) => {
            let reports = &call.bridge.load_reports;
            return response::whole(reports.end(Err(error), &mut observed, false));
        }
    };
    let task = Task {
        answers,
        observed,
        received,
        request_headers: call.headers().clone(),
        limits: call.bridge.limits,
        compression: call.bridge.compression.clone(),
        load_reports: call.bridge.load_reports.clone(),
        deadline: call.deadline,
        stopping: call.bridge.stopping.clone(),
    };
    let (head, opening) = oneshot::channel();
    let (frames, rest) = mpsc::channel(PIECES);
    tokio::spawn(task.run(Client {
        head: Some(head),
        frames,
    }));
    match opening.await {
        Ok(Opening::Stream(metadata, encoding)) => response::stream(metadata, encoding, rest),
        Ok(Opening::Whole(outcome)) => response::whole(*outcome),
        // The task ended without an opening: the client has gone, and reads none of this, or the runtime is shutting down.
        Err(_) => response::failed(&CallError::Stopping),
    }
}

async fn begin(
    call: &CallRequest<'_>,
    observed: &Observed,
    body: RequestBody,
    received: Arc<AtomicU64>,
) -> Result<Answers<Requests>, CallError> {
    let requests = Requests::new(body, call, received);
    let variables = call.variables(Input::Stream);
    let (application, log) = (&call.bridge.application, observed.application_log());
    Ok(application
        .begin(&variables, requests, call.holdings(), log, observed.span())
        .await?)
}

/// The beginning of the response.
enum Opening {
    /// With header fields; messages follow.
    Stream(HeaderMap, Option<Encoding>),
    /// The whole response.
    Whole(Box<Outcome>),
}

/// The client's side of the task.
struct Client {
    /// `None` after the header fields have been sent.
    head: Option<oneshot::Sender<Opening>>,
    frames: mpsc::Sender<Frame<Bytes>>,
}

impl Client {
    fn begin(&mut self, opening: Opening) {
        if let Some(head) = self.head.take() {
            // The receiver is dropped if the client has gone.
            let _ = head.send(opening);
        }
    }

    fn open(&mut self, initial: &mut Option<HeaderMap>, encoding: Option<Encoding>) {
        if let Some(metadata) = initial.take() {
            self.begin(Opening::Stream(metadata, encoding));
        }
    }

    /// Begins the response to a call without messages, unless the trailers are to be the whole response.
    fn begin_or_end(&mut self, mut outcome: Outcome, encoding: Option<Encoding>) -> Outcome {
        if outcome.may_be_retried() {
            return outcome.in_one_block();
        }
        self.begin(Opening::Stream(mem::take(&mut outcome.metadata), encoding));
        outcome
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

/// One call between its client and its script.
struct Task {
    answers: Answers<Requests>,
    observed: Observed,
    /// Messages from the client.
    received: Arc<AtomicU64>,
    request_headers: HeaderMap,
    limits: CallLimits,
    compression: Compression,
    load_reports: CallReports,
    deadline: Option<Instant>,
    stopping: CancellationToken,
}

impl Task {
    async fn run(mut self, mut client: Client) {
        let frames = client.frames.clone();
        let (deadline, stopping) = (self.deadline, self.stopping.clone());
        let result = tokio::select! {
            // The response was dropped: the client has gone.
            () = frames.closed() => None,
            error = aborted(deadline, &stopping) => Some(Err(error)),
            result = self.pass(&mut client) => match result {
                // The client has reset its stream.
                Err(CallError::RequestBroken(_)) => None,
                result => Some(result),
            },
        };
        let received = self.received.load(Ordering::Relaxed);
        self.observed.set_received(received);
        if let None | Some(Err(CallError::DeadlineExceeded | CallError::Stopping)) = result {
            self.answers.cancel();
        }
        let Some(result) = result else { return };
        // Before the client learns that the call has ended: the next call may need the place.
        self.answers.finish(&result);
        let begun = client.head.is_none();
        let outcome = self.load_reports.end(result, &mut self.observed, begun);
        client.end(outcome).await;
    }

    /// Passes the answers to the client.
    async fn pass(&mut self, client: &mut Client) -> Result<Outcome, CallError> {
        let (head, body) = self.answers.head().await?;
        self.observed.add_dropped(head.dropped);
        self.set_server_load(head.server_load);
        if let Some(status) = head.status {
            // The header fields are the whole answer; an error page follows.
            self.observed.set_method_known();
            self.rest().await;
            let outcome = Outcome {
                status,
                metadata: head.metadata,
                trailers: head.trailers,
                ..Outcome::default()
            };
            return outcome.bounded(self.limits.response_metadata, &self.observed);
        }
        let encoding = head
            .encoding
            .filter(|encoding| encoding.is_accepted(&self.request_headers));
        bounds::check(&head.metadata, self.limits.response_metadata)?;
        // With the first frame: without a message, the trailers may have to be the whole response.
        let mut initial = Some(head.metadata);
        let mut decoder = AnswerDecoder::new(self.limits.send_message, encoding);
        decoder.push(body)?;
        loop {
            while let Some(part) = decoder.decode()? {
                self.observed.set_sent(decoder.messages());
                match part {
                    AnswerPart::Noop => client.open(&mut initial, encoding),
                    AnswerPart::ServerLoad(Ok(report)) => self.set_server_load(Some(report)),
                    AnswerPart::ServerLoad(Err(_)) => self.drop_server_load(),
                    AnswerPart::Messages(bytes) => {
                        client.open(&mut initial, encoding);
                        self.send(client, bytes).await?;
                    }
                    AnswerPart::Uncompressed(encoding, content) => {
                        client.open(&mut initial, Some(encoding));
                        let compress = self.compression.compress(encoding, content);
                        let message = self.answers.paused(compress).await?;
                        let message = message.map_err(AnswerError::from)?;
                        self.send(client, message).await?;
                    }
                    AnswerPart::Trailers(trailers) => {
                        let mut outcome = self.ended(trailers).await;
                        if let Some(metadata) = initial {
                            outcome.metadata = metadata;
                            outcome = client.begin_or_end(outcome, encoding);
                        }
                        return outcome.bounded(self.limits.response_metadata, &self.observed);
                    }
                }
            }
            let bytes = self.answers.next().await?.ok_or(CallError::EndedEarly)?;
            decoder.push(bytes)?;
        }
    }

    async fn ended(&mut self, trailers: Trailers) -> Outcome {
        self.observed.set_method_known();
        self.observed.add_dropped(trailers.dropped);
        self.set_server_load(trailers.server_load);
        self.rest().await;
        Outcome {
            status: trailers.status,
            trailers: trailers.metadata,
            ..Outcome::default()
        }
    }

    fn drop_server_load(&mut self) {
        let mut dropped = DroppedFields::default();
        dropped.add(SERVER_REPORT);
        self.observed.add_dropped(dropped);
    }

    fn set_server_load(&self, report: Option<Box<OrcaLoadReport>>) {
        if let Some(report) = report {
            self.load_reports.set_server(*report);
        }
    }

    async fn send(&mut self, client: &Client, bytes: Bytes) -> Result<(), CallError> {
        let send = client.frames.send(Frame::data(bytes));
        // The task notices if the client has gone.
        let _ = self.answers.paused(send).await?;
        Ok(())
    }

    /// Waits for the script to end after its last answer; briefly, since the client waits too.
    async fn rest(&mut self) {
        self.answers.end_requests();
        let rest = async { while let Ok(Some(_)) = self.answers.next().await {} };
        let _ = timeout(SCRIPT_END_TIMEOUT, rest).await;
    }
}
