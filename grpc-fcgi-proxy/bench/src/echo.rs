//! A bare tonic server that answers as the trivial application does: what HTTP/2 and gRPC alone cost.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use crate::application;

/// Every method of the service is the same one.
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
            // Bytes are a google.protobuf.BytesValue.
            let mut grpc = Grpc::new(ProstCodec::<Bytes, Bytes>::default());
            Ok(grpc.unary(service_fn(answer), request).await)
        })
    }
}

async fn answer(request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
    let content = request.into_inner();
    // What the application sees is the message, with the field's tag and length before the content.
    let message = application::answer(prost::Message::encode_to_vec(&content).into());
    let answer = prost::Message::decode(message)
        .map_err(|error: prost::DecodeError| Status::internal(error.to_string()))?;
    Ok(Response::new(answer))
}

/// Serves until it is ended.
pub(crate) async fn run(address: SocketAddr) -> anyhow::Result<()> {
    Ok(Server::builder()
        .tcp_nodelay(true)
        .add_service(Echo)
        .serve(address)
        .await?)
}
