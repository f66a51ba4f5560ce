//! gRPC's interoperability cases by their official names, with tonic's client, against `script/interop-server`.
//! <https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md>
//!
//! `script/conformance` starts that server and runs these tests one after the other: some occupy all workers.
//! `conformance.py` runs the same cases with another client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod compression;
mod ended;
mod metadata;
mod orca;
mod soak;
mod status;
mod streaming;
mod unary;
mod wire;

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use proto::grpc_testing::test_service_client::TestServiceClient;
use proto::grpc_testing::{
    EchoStatus, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::transport::Channel;

/// The longest that a case waits for anything.
const TIMEOUT: Duration = Duration::from_secs(20);
const LARGE_REQUEST: usize = 271_828;
const LARGE_RESPONSE: i32 = 314_159;
const REQUEST_SIZES: [usize; 4] = [27182, 8, 1828, 45904];
const RESPONSE_SIZES: [i32; 4] = [31415, 9, 2653, 58979];

/// The server's address.
fn address() -> String {
    std::env::var("INTEROP_SERVER").expect("script/conformance sets INTEROP_SERVER")
}

/// A new connection to the server.
async fn channel() -> Channel {
    Channel::from_shared(format!("http://{}", address()))
        .unwrap()
        .timeout(TIMEOUT)
        .connect()
        .await
        .unwrap()
}

async fn client() -> TestServiceClient<Channel> {
    TestServiceClient::new(channel().await)
}

fn zeros(size: usize) -> Option<Payload> {
    Some(Payload {
        body: vec![0; size],
        ..Payload::default()
    })
}

fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE,
        payload: zeros(LARGE_REQUEST),
        ..SimpleRequest::default()
    }
}

fn check_large(response: &SimpleResponse) {
    assert_eq!(response.payload, zeros(314_159));
}

fn parameters(size: i32) -> ResponseParameters {
    ResponseParameters {
        size,
        ..ResponseParameters::default()
    }
}

fn output_request(response_size: i32, request_size: usize) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![parameters(response_size)],
        payload: zeros(request_size),
        ..StreamingOutputCallRequest::default()
    }
}

fn size(response: &StreamingOutputCallResponse) -> i32 {
    let body = &response.payload.as_ref().unwrap().body;
    body.len().try_into().unwrap()
}

fn echo_status(code: tonic::Code, message: &str) -> Option<EchoStatus> {
    Some(EchoStatus {
        code: code.into(),
        message: message.to_owned(),
    })
}

/// A stream of requests, which half-closes when the sender is dropped.
fn sent<T: Send + 'static>(requests: UnboundedReceiver<T>) -> impl Stream<Item = T> + Send {
    unfold(requests, |mut requests| async move {
        Some((requests.recv().await?, requests))
    })
}
