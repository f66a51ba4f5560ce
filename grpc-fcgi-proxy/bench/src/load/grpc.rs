//! Calls over gRPC, on h2 itself: a client library would add its own costs.

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use grpc_wire::message;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tonic::Code;

use super::call::CheckedCall;
use crate::application::{SOURCE, SOURCE_MESSAGE, STALL};

/// Flow-control windows with room for a message of 1 MiB.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// As many as a client usually puts on one connection.
pub(super) const CALLS_PER_CONNECTION: usize = 100;

/// One connection, shared by its callers.
pub(super) type GrpcConnection = SendRequest<Bytes>;

pub(super) async fn connect(address: &Address) -> anyhow::Result<GrpcConnection> {
    let Address::Tcp(address) = address else {
        bail!("gRPC runs over TCP only");
    };
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(stream)
        .await?;
    // Its streams see how it ends.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

fn request(path: &str) -> Request<()> {
    let mut request = Request::post(format!("http://bench{path}"))
        .body(())
        .unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert("te", http::HeaderValue::from_static("trailers"));
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/grpc"),
    );
    request
}

/// Makes calls with one message each way.
pub(super) struct Unary {
    connection: GrpcConnection,
    request: Request<()>,
    message: Bytes,
    answer: Bytes,
}

impl Unary {
    pub(super) fn new(connection: GrpcConnection, call: &CheckedCall) -> Self {
        Self {
            connection,
            request: request(call.path),
            message: call.framed(),
            answer: message::encode(0, &call.answer),
        }
    }

    /// Makes one call, and checks its HTTP status, its gRPC status and its message.
    pub(super) async fn call(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.clone().ready().await?;
        let (response, mut requests) = connection.send_request(self.request.clone(), false)?;
        requests.send_data(self.message.clone(), true)?;
        let mut answers = check_head(response.await?)?;
        let mut rest = self.answer.clone();
        while let Some(data) = answers.data().await {
            let data = data?;
            answers.flow_control().release_capacity(data.len())?;
            ensure!(rest.starts_with(&data), "the response has another message");
            rest.advance(data.len());
        }
        check_status(answers.trailers().await?.as_ref())?;
        ensure!(rest.is_empty(), "a message was cut short");
        Ok(())
    }
}

fn check_head(response: Response<RecvStream>) -> anyhow::Result<RecvStream> {
    ensure!(
        response.status() == http::StatusCode::OK,
        "HTTP status {}",
        response.status()
    );
    if response.headers().contains_key("grpc-status") && response.body().is_end_stream() {
        check_status(Some(response.headers()))?;
    }
    Ok(response.into_body())
}

fn check_status(trailers: Option<&HeaderMap>) -> anyhow::Result<()> {
    check_ok(trailers.context("no trailers")?)
}

pub(super) fn check_ok(trailers: &HeaderMap) -> anyhow::Result<()> {
    let status = trailers.get("grpc-status").context("no grpc-status")?;
    let message = trailers.get("grpc-message");
    let code = Code::from_bytes(status.as_bytes());
    ensure!(code == Code::Ok, "status {code:?}, {message:?}");
    Ok(())
}

/// Sends messages to and fro on one call.
pub(super) struct RoundTrips {
    requests: SendStream<Bytes>,
    answers: RecvStream,
    frame: Bytes,
}

impl RoundTrips {
    /// Begins the call, with the first round trip.
    pub(super) async fn begin(
        connection: &GrpcConnection,
        call: &CheckedCall,
    ) -> anyhow::Result<Self> {
        let mut connection = connection.clone().ready().await?;
        let (response, mut requests) = connection.send_request(request(call.path), false)?;
        requests.send_data(call.framed(), false)?;
        let mut stream = Self {
            requests,
            answers: check_head(response.await?)?,
            frame: call.framed(),
        };
        stream.receive().await?;
        Ok(stream)
    }

    pub(super) async fn next(&mut self) -> anyhow::Result<()> {
        self.requests.send_data(self.frame.clone(), false)?;
        self.receive().await
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let mut seen = BytesMut::new();
        while seen.len() < self.frame.len() {
            let data = self.answers.data().await.context("the stream ended")??;
            self.answers.flow_control().release_capacity(data.len())?;
            seen.extend_from_slice(&data);
        }
        ensure!(seen == self.frame, "the response has another message");
        Ok(())
    }
}

/// Receives a stream with this number of messages; returns the number of its bytes.
pub(crate) async fn stream(address: &Address, messages: u64) -> anyhow::Result<u64> {
    let mut connection = connect(address).await?.ready().await?;
    let (response, mut requests) = connection.send_request(request(SOURCE), false)?;
    let frame = message::encode(0, &messages.to_be_bytes());
    requests.send_data(frame, true)?;
    let mut answers = check_head(response.await?)?;
    let mut bytes = 0;
    while let Some(data) = answers.data().await {
        let data = data?;
        answers.flow_control().release_capacity(data.len())?;
        bytes += data.len() as u64;
    }
    check_status(answers.trailers().await?.as_ref())?;
    let expected = messages * (SOURCE_MESSAGE as u64 + 5);
    ensure!(
        bytes == expected,
        "received {bytes} bytes instead of {expected}"
    );
    Ok(bytes)
}

/// Calls that are never answered, and stay open until this is dropped.
pub(crate) struct Waiting {
    connections: Vec<GrpcConnection>,
    calls: Vec<(ResponseFuture, SendStream<Bytes>)>,
}

impl Waiting {
    pub(crate) async fn begin(address: &Address, calls: usize) -> anyhow::Result<Self> {
        let mut waiting = Self {
            connections: Vec::new(),
            calls: Vec::new(),
        };
        while waiting.calls.len() < calls {
            let mut connection = connect(address).await?;
            for _ in 0..CALLS_PER_CONNECTION {
                connection = connection.ready().await?;
                let (response, mut requests) = connection.send_request(request(STALL), false)?;
                requests.send_data(message::encode(0, &[0; 40]), true)?;
                waiting.calls.push((response, requests));
            }
            waiting.connections.push(connection);
        }
        Ok(waiting)
    }

    /// Whether all of them still wait.
    pub(crate) fn all_wait(mut self) -> bool {
        self.calls
            .iter_mut()
            .all(|(response, _)| response.now_or_never().is_none())
    }
}
