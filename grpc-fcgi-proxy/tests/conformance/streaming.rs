//! Streams of messages, one way or both.

use futures_util::stream::{empty, iter};
use proto::grpc_testing::{StreamingInputCallRequest, StreamingOutputCallRequest};
use tokio::sync::mpsc::unbounded_channel;

use super::{REQUEST_SIZES, RESPONSE_SIZES, client, output_request, parameters, sent, size, zeros};

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn client_streaming() {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
        payload: zeros(size),
        ..StreamingInputCallRequest::default()
    });
    let response = client().await.streaming_input_call(iter(requests)).await;
    assert_eq!(response.unwrap().get_ref().aggregated_payload_size, 74922);
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn server_streaming() {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSE_SIZES.map(parameters).into(),
        ..StreamingOutputCallRequest::default()
    };
    let mut client = client().await;
    let mut responses = client
        .streaming_output_call(request)
        .await
        .unwrap()
        .into_inner();
    for expected in RESPONSE_SIZES {
        assert_eq!(size(&responses.message().await.unwrap().unwrap()), expected);
    }
    assert_eq!(responses.message().await.unwrap(), None);
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn ping_pong() {
    let (requests, received) = unbounded_channel();
    let mut client = client().await;
    // Sent before the call begins: a server may hold back its header fields until the first request arrives.
    requests
        .send(output_request(RESPONSE_SIZES[0], REQUEST_SIZES[0]))
        .unwrap();
    let responses = client.full_duplex_call(sent(received)).await;
    let mut responses = responses.unwrap().into_inner();
    let first = responses.message().await.unwrap().unwrap();
    assert_eq!(size(&first), RESPONSE_SIZES[0]);
    for (request, response) in REQUEST_SIZES.into_iter().zip(RESPONSE_SIZES).skip(1) {
        requests.send(output_request(response, request)).unwrap();
        assert_eq!(size(&responses.message().await.unwrap().unwrap()), response);
    }
    drop(requests);
    assert_eq!(responses.message().await.unwrap(), None);
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn empty_stream() {
    let responses = client().await.full_duplex_call(empty()).await;
    assert_eq!(responses.unwrap().get_mut().message().await.unwrap(), None);
}
