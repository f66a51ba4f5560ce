//! Calls over FastCGI without a proxy, with the proxy's own exchange: the limit of what the proxy can reach.

use std::convert::identity;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use grpc_fcgi_proxy::application::encode_opening;
use grpc_fcgi_proxy::binding::dialect::Dialect;
use grpc_fcgi_proxy::binding::route::Script;
use grpc_fcgi_proxy::binding::variables::{FormattedAddress, Input, Variables};
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use grpc_fcgi_proxy::fastcgi::exchange::{Exchange, ExchangeError, Output, Progress};
use grpc_fcgi_proxy::fastcgi::socket::Socket;
use grpc_wire::message;
use grpc_wire::method::{CallKind, Method};
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::Instant;

use super::call::{CheckedCall, LoadKind};
use crate::application::{SOURCE, SOURCE_MESSAGE};

/// Between header fields and body.
const BLANK_LINE: &[u8] = b"\r\n\r\n";
/// The backlog of a Unix socket is short: a connection may have to wait for room in it.
const CONNECT_TIME: Duration = Duration::from_secs(5);

pub(crate) async fn connect(address: &Address) -> anyhow::Result<Socket> {
    let targets = address.look_up().await?;
    let target = targets.first().context("the name has no address")?;
    Ok(target.connect(Instant::now() + CONNECT_TIME).await?)
}

/// BEGIN_REQUEST and the variables, as the proxy sends them.
fn opening(
    call: &CheckedCall,
    kind: CallKind,
    input: Input,
    keep: bool,
) -> anyhow::Result<Vec<u8>> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    let here = FormattedAddress::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    Ok(encode_opening(
        &Variables {
            script: &Script::new(&call.script),
            kind,
            method: Method::parse(call.path)?,
            authority: "bench",
            headers: &headers,
            input,
            dialect: Dialect::default(),
            deadline: None,
            peer: &here,
            local: &here,
            tls: None,
        },
        keep,
    )?)
}

/// Makes calls with one message each way.
pub(super) struct Unary {
    address: Address,
    opening: Vec<u8>,
    message: Bytes,
    answer: Bytes,
    keep: bool,
    kept: Option<Socket>,
}

impl Unary {
    pub(super) fn new(address: Address, call: &CheckedCall, keep: bool) -> anyhow::Result<Self> {
        let input = Input::Message {
            length: call.message.len(),
            compressed: false,
        };
        Ok(Self {
            address,
            opening: opening(call, CallKind::Unary, input, keep)?,
            message: call.message.clone(),
            answer: call.answer.clone(),
            keep,
            kept: None,
        })
    }

    /// Makes one call up to its END_REQUEST, and checks its message.
    pub(super) async fn call(&mut self) -> anyhow::Result<()> {
        let socket = match self.kept.take() {
            Some(kept) => kept,
            None => connect(&self.address).await?,
        };
        let stdin = stream::iter([Ok::<_, ExchangeError>(self.message.clone())]);
        let mut exchange = Exchange::new(socket, self.opening.clone(), stdin);
        let mut output = BytesMut::new();
        while let Some(piece) = exchange.next(identity).await? {
            match piece {
                Output::Stdout(content) => output.extend_from_slice(&content),
                Output::Stderr(content) => anyhow::bail!("{}", content.escape_ascii()),
            }
        }
        let body = output
            .windows(4)
            .position(|bytes| bytes == BLANK_LINE)
            .context("the answer has no header fields")?
            + 4;
        ensure!(
            output[body..] == self.answer,
            "the answer has another message"
        );
        if let (socket, Progress::Reusable) = exchange.into_connection()
            && self.keep
        {
            self.kept = Some(socket);
        }
        Ok(())
    }
}

/// Sends messages to and fro in one exchange.
pub(super) struct RoundTrips<I> {
    exchange: Exchange<Socket, I>,
    input: UnboundedSender<Bytes>,
    frame: Bytes,
    seen: BytesMut,
}

impl RoundTrips<()> {
    /// Begins the exchange, with the first round trip.
    pub(super) async fn begin(
        address: &Address,
        call: &CheckedCall,
    ) -> anyhow::Result<RoundTrips<impl Stream<Item = Result<Bytes, ExchangeError>> + Unpin>> {
        let (input, mut pieces) = mpsc::unbounded_channel();
        let stdin = stream::poll_fn(move |cx| pieces.poll_recv(cx).map(|piece| piece.map(Ok)));
        let opening = opening(call, CallKind::BidiStream, Input::Stream, false)?;
        let exchange = Exchange::new(connect(address).await?, opening, stdin).half_closing();
        let mut stream = RoundTrips {
            exchange,
            input,
            frame: call.framed(),
            seen: BytesMut::new(),
        };
        stream.input.send(stream.frame.clone())?;
        while !stream.seen.windows(4).any(|bytes| bytes == BLANK_LINE) {
            stream.read().await?;
        }
        let head = stream
            .seen
            .windows(4)
            .position(|bytes| bytes == BLANK_LINE)
            .unwrap_or_default();
        drop(stream.seen.split_to(head + 4));
        stream.receive().await?;
        Ok(stream)
    }
}

impl<I: Stream<Item = Result<Bytes, ExchangeError>> + Unpin> RoundTrips<I> {
    pub(super) async fn next(&mut self) -> anyhow::Result<()> {
        self.input.send(self.frame.clone())?;
        self.receive().await
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        while self.seen.len() < self.frame.len() {
            self.read().await?;
        }
        ensure!(self.seen == self.frame, "the answer has another message");
        self.seen.clear();
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        match self
            .exchange
            .next(identity)
            .await?
            .context("the stream ended")?
        {
            Output::Stdout(content) => self.seen.extend_from_slice(&content),
            Output::Stderr(content) => anyhow::bail!("{}", content.escape_ascii()),
        }
        Ok(())
    }
}

/// Receives a stream with this number of messages; returns the number of its bytes.
pub(crate) async fn stream(address: &Address, messages: u64) -> anyhow::Result<u64> {
    let call = CheckedCall {
        kind: LoadKind::RoundTrip,
        path: SOURCE,
        script: "/none.php".into(),
        message: Bytes::new(),
        answer: Bytes::new(),
    };
    let frame = message::encode(0, &messages.to_be_bytes());
    let opening = opening(&call, CallKind::ServerStream, Input::Stream, false)?;
    let stdin = stream::iter([Ok::<_, ExchangeError>(frame)]);
    let mut exchange = Exchange::new(connect(address).await?, opening, stdin).half_closing();
    let mut bytes = 0;
    while let Some(Output::Stdout(content)) = exchange.next(identity).await? {
        bytes += content.len() as u64;
    }
    let expected = messages * (SOURCE_MESSAGE as u64 + 5);
    ensure!(
        bytes > expected,
        "received {bytes} bytes instead of slightly more than {expected}"
    );
    Ok(bytes)
}
