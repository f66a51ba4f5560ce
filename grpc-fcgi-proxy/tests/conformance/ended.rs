//! Calls that the client ends, or whose deadline does.

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

use super::{PATIENCE, address, client, output_request, sent, size, zeros};

/// Of the server's: a cancelled call that went on would keep one.
const WORKERS: usize = 16;

/// Waits until the server has room for a stream. While it still ends those that were cancelled, it may have none.
async fn check_room(client: &mut TestServiceClient<Channel>) {
    let room = async {
        while let Err(status) = client.streaming_input_call(empty()).await {
            assert_eq!(status.code(), Code::ResourceExhausted);
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, room)
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
        // Asked for when the header fields are on their way.
        let requests = once(async {
            begun.send(()).unwrap();
            std::future::pending::<StreamingInputCallRequest>().await
        });
        tokio::select! {
            biased;
            answer = client.streaming_input_call(requests) => panic!("an answer: {answer:?}"),
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

/// A client on a bare connection: tonic's own channel gives up by itself at a deadline, and says CANCELLED; what the
/// server says would not be seen.
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
    let status = timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
