//! The callers: each makes one call after the other, cancels some of them, and notes what became of each id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::stream;
use http::uri::PathAndQuery;
use proto::item::{GetItemRequest, Item};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::ledger::{Failure, Ledger, Outcome};
use crate::application::{ECHO, SOURCE, UNARY};

/// What a caller repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unary,
    Bidi,
    ServerStream,
}

/// Round trips on a bidirectional call, and between two of them.
const ROUND_TRIPS: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

type Codec = ProstCodec<GetItemRequest, Item>;

pub(super) async fn connect(address: &str) -> anyhow::Result<Channel> {
    // By default h2 ends a connection after 1,024 frames for calls that its own side has cancelled.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .tcp_nodelay(true)
        .http2_max_local_error_reset_streams(None);
    Ok(endpoint.connect().await?)
}

/// Makes one call at a time.
pub(super) struct Caller {
    grpc: Grpc<Channel>,
    next: u64,
    begin: Instant,
    /// The process that has answered last.
    worker: Arc<AtomicU32>,
    ledger: Ledger,
}

impl Caller {
    /// The number keeps its ids apart from those of the others.
    pub(super) fn new(
        channel: Channel,
        number: u64,
        begin: Instant,
        worker: Arc<AtomicU32>,
    ) -> Self {
        Self {
            grpc: Grpc::new(channel),
            next: number << 32,
            begin,
            worker,
            ledger: Ledger::default(),
        }
    }

    /// Calls until then; returns what became of the calls.
    pub(super) async fn run(mut self, kind: Kind, end: Instant) -> Ledger {
        while Instant::now() < end {
            let id = self.id();
            match kind {
                Kind::Unary => self.unary(id).await,
                Kind::Bidi => self.bidi(id).await,
                Kind::ServerStream => self.server_stream(id).await,
            }
        }
        self.ledger
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// One in ten is cancelled, and one has a deadline, after up to 3 ms.
    async fn unary(&mut self, id: u64) {
        let mut request = Request::new(message(id));
        let short = Duration::from_micros(id * 7919 % 3000);
        if id % 10 == 1 {
            request.set_timeout(short);
        }
        if let Err(error) = self.grpc.ready().await {
            return self.fail(id, Kind::Unary, &Status::unavailable(error.to_string()));
        }
        let call = self
            .grpc
            .unary(request, PathAndQuery::from_static(UNARY), Codec::default());
        let result = if id.is_multiple_of(10) {
            let call = timeout(short, call).await;
            call.unwrap_or_else(|_| Err(Status::cancelled("by the caller")))
        } else {
            call.await
        };
        let answered = result.and_then(|answer| self.check(id, answer.get_ref()));
        match answered {
            Ok(()) => self.ledger.note(id, Outcome::Answered),
            Err(status) if id % 10 < 2 && was_given_up(&status) => {
                self.ledger.note(id, Outcome::GivenUp);
            }
            Err(status) => self.fail(id, Kind::Unary, &status),
        }
    }

    async fn bidi(&mut self, first: u64) {
        let mut last = first;
        if let Err(status) = self.round_trips(&mut last).await {
            self.fail(last, Kind::Bidi, &status);
        }
    }

    /// Every third call is cancelled with a message under way.
    async fn round_trips(&mut self, last: &mut u64) -> Result<(), Status> {
        let first = *last;
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let send = |id| sender.send(message(id)).map_err(|_| ended());
        send(first)?;
        let requests = stream::poll_fn(move |context| receiver.poll_recv(context));
        self.grpc.ready().await.map_err(unavailable)?;
        let call = self.grpc.streaming(
            Request::new(requests),
            PathAndQuery::from_static(ECHO),
            Codec::default(),
        );
        let mut answers = call.await?.into_inner();
        for _ in 0..ROUND_TRIPS {
            self.check(*last, &next(&mut answers).await?)?;
            self.ledger.note(*last, Outcome::Answered);
            sleep(PAUSE).await;
            *last = self.id();
            send(*last)?;
        }
        if first.is_multiple_of(3) {
            self.ledger.note(*last, Outcome::GivenUp);
            return Ok(());
        }
        self.check(*last, &next(&mut answers).await?)?;
        self.ledger.note(*last, Outcome::Answered);
        drop(sender);
        match answers.message().await? {
            None => Ok(()),
            Some(_) => Err(Status::unknown("one answer too many")),
        }
    }

    async fn server_stream(&mut self, id: u64) {
        if let Err(status) = self.answers(id).await {
            self.fail(id, Kind::ServerStream, &status);
        }
    }

    /// Every third call is cancelled after its first answer.
    async fn answers(&mut self, id: u64) -> Result<(), Status> {
        self.grpc.ready().await.map_err(unavailable)?;
        let call = self.grpc.server_streaming(
            Request::new(message(id)),
            PathAndQuery::from_static(SOURCE),
            Codec::default(),
        );
        let mut answers = call.await?.into_inner();
        self.check(id, &next(&mut answers).await?)?;
        self.ledger.note(id, Outcome::Answered);
        if id.is_multiple_of(3) {
            return Ok(());
        }
        while let Some(answer) = answers.message().await? {
            self.check(id, &answer)?;
        }
        Ok(())
    }

    fn check(&self, id: u64, answer: &Item) -> Result<(), Status> {
        if answer.id != id.to_string() {
            return Err(Status::unknown(format!("the answer to {}", answer.id)));
        }
        let process = answer.name.parse();
        self.worker
            .store(process.unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }

    fn fail(&mut self, id: u64, kind: Kind, status: &Status) {
        self.ledger.fail(Failure {
            id,
            unary: kind == Kind::Unary,
            at: self.begin.elapsed(),
            by_killed_worker: matches!(status.code(), Code::Unavailable | Code::Internal),
            status: format!("{:?}: {}", status.code(), status.message()),
        });
    }
}

fn message(id: u64) -> GetItemRequest {
    GetItemRequest { id: id.to_string() }
}

fn was_given_up(status: &Status) -> bool {
    matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded)
}

async fn next(answers: &mut Streaming<Item>) -> Result<Item, Status> {
    answers.message().await?.ok_or_else(ended)
}

fn ended() -> Status {
    Status::unknown("the call ended before its last message")
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: tonic::transport::Error) -> Status {
    Status::unavailable(error.to_string())
}
