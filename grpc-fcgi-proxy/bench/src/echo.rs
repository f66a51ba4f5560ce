//! A bare tonic server that answers as the trivial application does: the cost of HTTP/2 and gRPC alone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures_util::stream::{self, BoxStream, StreamExt};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tower::{Service, service_fn};

use crate::application::{self, ECHO, SOURCE, SOURCE_MESSAGE};

/// Dispatches by path.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "grpc.testing.TestService";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async {
            let mut grpc = Grpc::new(Raw);
            Ok(match request.uri().path() {
                ECHO => grpc.streaming(service_fn(echo), request).await,
                SOURCE => grpc.server_streaming(service_fn(source), request).await,
                _ => grpc.unary(service_fn(answer), request).await,
            })
        })
    }
}

async fn answer(request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
    Ok(Response::new(application::answer(request.into_inner())))
}

async fn echo(request: Request<Streaming<Bytes>>) -> Result<Response<Streaming<Bytes>>, Status> {
    Ok(Response::new(request.into_inner()))
}

async fn source(
    request: Request<Bytes>,
) -> Result<Response<BoxStream<'static, Result<Bytes, Status>>>, Status> {
    let messages = application::source_length(request.get_ref());
    let message = Bytes::from_static(&[b'a'; SOURCE_MESSAGE]);
    let messages = (0..messages).map(move |_| Ok(message.clone()));
    Ok(Response::new(stream::iter(messages).boxed()))
}

/// Leaves messages undecoded, as the trivial application does.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Serves until the process ends.
pub(crate) async fn run(address: SocketAddr) -> anyhow::Result<()> {
    Ok(Server::builder()
        .tcp_nodelay(true)
        .add_service(Echo)
        .serve(address)
        .await?)
}
