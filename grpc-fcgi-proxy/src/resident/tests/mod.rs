//! Calls in scripted workers.

mod hostile;
mod never_twice;
mod streams;
mod unary;
mod workers;

use std::convert::identity;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use futures_util::{Stream, StreamExt, stream};
use grpc_wire::method::{CallKind, Method};
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::connection::WorkerConnection;
use super::frame::{CREDIT, FrameType, HEADER_LENGTH, encode_credit, encode_header};
use super::group::Group;
use super::limits::ResidentLimits;
use super::worker::{NewWorker, WorkerId};
use super::{Failure, ResidentCall, ResidentError};
use crate::binding::dialect::Dialect;
use crate::binding::route::Script;
use crate::binding::variables::{FormattedAddress, Input, Variables};
use crate::metrics::registry::Metrics;
use crate::metrics::resident::{ResidentMetrics, Retirement};
use crate::share::{Holdings, Share};
use crate::spans::CallSpan;
use crate::telemetry::{ApplicationLog, CallId, WorkerLog};

const TEST_TIMEOUT: Duration = Duration::from_secs(10);

type Requests = stream::BoxStream<'static, Result<Bytes, ResidentError>>;

fn limits() -> ResidentLimits {
    ResidentLimits {
        workers: 1,
        streams: 2,
        max_waiting: 10,
        share: Share(100),
        max_wait: Duration::from_secs(60),
        max_stream_wait: Duration::ZERO,
        answer: 1000,
        max_calls: None,
        max_age: None,
        max_memory: 0,
        stuck_timeout: Duration::from_millis(1),
        drain_timeout: TEST_TIMEOUT,
        boot_timeout: TEST_TIMEOUT,
    }
}

/// A group from which a worker may always come, and its metrics.
pub(super) fn group() -> (Arc<Group>, ResidentMetrics) {
    let metrics = Metrics::new().unwrap().resident().unwrap();
    let group = Arc::new(Group::new(limits(), metrics.clone()));
    group.with(|state| {
        state.set_hope(true);
        // Calls go to a busy worker, however slow this machine is.
        state.short = TEST_TIMEOUT;
    });
    (group, metrics)
}

/// The far end of a worker's connection.
struct Worker {
    socket: UnixStream,
    id: WorkerId,
    replaced: oneshot::Receiver<Retirement>,
    end: oneshot::Receiver<String>,
}

impl Worker {
    fn join(group: &Arc<Group>, metrics: &ResidentMetrics) -> Self {
        let (near, socket) = UnixStream::pair().unwrap();
        let (replace, replaced) = oneshot::channel();
        let worker = NewWorker {
            thread: std::thread::current().id(),
            max_calls: Some(3),
            used: Arc::default(),
            replace,
            log: WorkerLog::new("/a.php".into(), 1),
            metrics: metrics.of("target", "/a.php").worker,
        };
        let id = group.with(|state| state.add_worker(worker));
        let connection = WorkerConnection::new(near.into(), Arc::clone(group), id.key);
        let (ended, end) = oneshot::channel();
        tokio::spawn(async move {
            let end = connection.serve().await;
            let _ = ended.send(end.to_string());
        });
        Self {
            socket,
            id,
            replaced,
            end,
        }
    }

    /// The next frame: its type, call and payload.
    async fn frame(&mut self) -> (u8, u32, Vec<u8>) {
        let read = async {
            let mut header = [0; HEADER_LENGTH];
            self.socket.read_exact(&mut header).await.unwrap();
            let [a, b, c, kind, call @ ..] = header;
            let length = u32::from_be_bytes([0, a, b, c]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.socket.read_exact(&mut payload).await.unwrap();
            (kind, u32::from_be_bytes(call), payload)
        };
        timeout(TEST_TIMEOUT, read).await.unwrap()
    }

    async fn expect(&mut self, kind: FrameType, call: u32) -> Vec<u8> {
        let (found, number, payload) = self.frame().await;
        assert_eq!((found, number), (kind as u8, call));
        payload
    }

    async fn send(&mut self, kind: FrameType, call: u32, payload: &[u8]) {
        let header = encode_header(kind, call, payload.len());
        let frame = [&header[..], payload].concat();
        self.socket.write_all(&frame).await.unwrap();
    }

    async fn end(self) -> String {
        timeout(TEST_TIMEOUT, self.end).await.unwrap().unwrap()
    }
}

fn requests(pieces: &[&'static [u8]]) -> Requests {
    let pieces = pieces.iter().map(|piece| Ok(Bytes::from_static(piece)));
    stream::iter(pieces.collect::<Vec<_>>()).boxed()
}

async fn try_begin(
    group: &Arc<Group>,
    kind: CallKind,
    mut requests: impl Stream<Item = Result<Bytes, ResidentError>> + Unpin + Send + 'static,
) -> Result<ResidentCall<Requests>, ResidentError> {
    let address = FormattedAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9)));
    let headers = HeaderMap::new();
    let input = match kind {
        CallKind::Unary => Input::Message {
            length: 0,
            compressed: true,
        },
        _ => Input::Stream,
    };
    let variables = Variables {
        script: &Script::new(Path::new("/a.php")),
        kind,
        method: Method::parse("/a.B/C").unwrap(),
        authority: "host",
        headers: &headers,
        input,
        dialect: Dialect::default(),
        deadline: None,
        peer: &address,
        local: &address,
        tls: None,
    };
    let log = ApplicationLog::new(CallId::of("/a.B/C", &headers, None));
    let mut requests = Some(stream::poll_fn(move |cx| requests.poll_next_unpin(cx)).boxed());
    poll_fn(|cx| {
        let (requests, log) = (requests.take().unwrap(), log_of(&log));
        let client = Holdings::default();
        Poll::Ready(ResidentCall::begin(
            group,
            &variables,
            requests,
            &client,
            log,
            &CallSpan::default(),
            cx,
        ))
    })
    .await
}

fn log_of(_: &ApplicationLog) -> ApplicationLog {
    ApplicationLog::new(CallId::of("/a.B/C", &HeaderMap::new(), None))
}

async fn begin(
    group: &Arc<Group>,
    kind: CallKind,
    pieces: &[&'static [u8]],
) -> ResidentCall<Requests> {
    try_begin(group, kind, requests(pieces)).await.unwrap()
}

async fn unary(group: &Arc<Group>) -> ResidentCall<Requests> {
    begin(group, CallKind::Unary, &[b"in"]).await
}

async fn next(call: &mut ResidentCall<Requests>) -> Result<Option<Bytes>, ResidentError> {
    timeout(TEST_TIMEOUT, poll_fn(|cx| call.poll_next(cx, identity)))
        .await
        .unwrap()
}

/// The whole answer.
async fn answer(call: &mut ResidentCall<Requests>) -> Result<Vec<u8>, ResidentError> {
    let mut whole = Vec::new();
    while let Some(piece) = next(call).await? {
        whole.put_slice(&piece);
    }
    Ok(whole)
}
