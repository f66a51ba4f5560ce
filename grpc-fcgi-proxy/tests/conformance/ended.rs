//! Calls that end by cancellation or at their deadline.

use std::time::Duration;

use futures_util::stream::{empty, once};
use hyper::body::Incoming;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::grpc_testing::test_service_client::TestServiceClient;
use proto::grpc_testing::{StreamingInputCallRequest, StreamingOutputCallRequest};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::{TIMEOUT, address, client, output_request, sent, size, zeros};

/// The workers of the server: a cancelled call that ran on would hold one.
const WORKERS: usize = 16;

/// Waits until the server accepts a stream. It may refuse one while cancelled calls still end.
async fn check_room(client: &mut TestServiceClient<Channel>) {
    let room = async {
        while let Err(status) = client.streaming_input_call(empty()).await {
            assert_eq!(status.code(), Code::ResourceExhausted);
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, room)
        .await
        .expect("cancelled calls hold their workers");
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn cancel_after_begin() {
    let mut client = client().await;
    for _ in 0..WORKERS {
        check_room(&mut client).await;
        let (begun, begins) = oneshot::channel();
        // Polled once the header fields have been sent.
        let requests = once(async {
            begun.send(()).unwrap();
            std::future::pending::<StreamingInputCallRequest>().await
        });
        tokio::select! {
            biased;
            response = client.streaming_input_call(requests) => panic!("a response: {response:?}"),
            begun = begins => begun.unwrap(),
        }
    }
    check_room(&mut client).await;
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn cancel_after_first_response() {
    let mut client = client().await;
    for _ in 0..WORKERS {
        check_room(&mut client).await;
        let (requests, received) = unbounded_channel();
        requests.send(output_request(31415, 27182)).unwrap();
        let responses = client.full_duplex_call(sent(received)).await;
        let response = responses.unwrap().get_mut().message().await;
        assert_eq!(size(&response.unwrap().unwrap()), 31415);
        // The response stream is dropped here, which cancels the call; its request stream is still open.
    }
    check_room(&mut client).await;
}

/// A client on a bare connection: tonic's channel ends a call itself at its deadline, with CANCELLED, and would hide the
/// status of the server.
async fn client_without_timer() -> TestServiceClient<impl GrpcService<Body, ResponseBody = Incoming>>
{
    let stream = TcpStream::connect(address()).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let origin = format!("http://{}", address()).parse().unwrap();
    let send = move |request| sender.clone().send_request(request);
    TestServiceClient::with_origin(tower::service_fn(send), origin)
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn timeout_on_sleeping_server() {
    let (requests, received) = unbounded_channel();
    let first = StreamingOutputCallRequest {
        payload: zeros(27182),
        ..StreamingOutputCallRequest::default()
    };
    requests.send(first).unwrap();
    let mut request = Request::new(sent(received));
    request.set_timeout(Duration::from_millis(1));
    let mut client = client_without_timer().await;
    let ended = async {
        match client.full_duplex_call(request).await {
            Ok(mut responses) => responses.get_mut().message().await.unwrap_err(),
            Err(status) => status,
        }
    };
    let status = timeout(TIMEOUT, ended).await.unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
