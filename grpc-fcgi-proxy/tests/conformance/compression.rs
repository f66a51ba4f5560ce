//! Compressed and uncompressed messages.

use futures_util::stream::iter;
use proto::grpc_testing::test_service_client::TestServiceClient;
use proto::grpc_testing::{
    BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest,
};
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;

use super::wire::Wire;
use super::{channel, check_large, client, large_request, size, zeros};

#[allow(clippy::unnecessary_wraps, reason = "the field is an Option")]
fn value(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn client_compressed_unary() {
    let expect = |compressed| SimpleRequest {
        expect_compressed: value(compressed),
        ..large_request()
    };
    let mut plain = client().await;
    // The probe: a server that ignores the difference fails here.
    let status = plain.unary_call(expect(true)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let mut compressing = plain.clone().send_compressed(Gzip);
    check_large(
        compressing
            .unary_call(expect(true))
            .await
            .unwrap()
            .get_ref(),
    );
    check_large(plain.unary_call(expect(false)).await.unwrap().get_ref());
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn client_compressed_streaming() {
    let requests = || {
        iter(
            [(true, 27182), (false, 45904)].map(|(compressed, size)| StreamingInputCallRequest {
                payload: zeros(size),
                expect_compressed: value(compressed),
            }),
        )
    };
    let wire = Wire::new(channel().await).only_first_compressed();
    let mut client = TestServiceClient::new(wire);
    let status = client.streaming_input_call(requests()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let mut client = client.send_compressed(Gzip);
    let response = client.streaming_input_call(requests()).await.unwrap();
    assert_eq!(response.get_ref().aggregated_payload_size, 73086);
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn server_compressed_unary() {
    let wire = Wire::new(channel().await);
    let mut client = TestServiceClient::new(wire.clone()).accept_compressed(Gzip);
    for compressed in [true, false] {
        let request = SimpleRequest {
            response_compressed: value(compressed),
            ..large_request()
        };
        check_large(client.unary_call(request).await.unwrap().get_ref());
        assert_eq!(wire.take_flags(), [u8::from(compressed)]);
    }
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn server_compressed_streaming() {
    let wire = Wire::new(channel().await);
    let mut client = TestServiceClient::new(wire.clone()).accept_compressed(Gzip);
    let sizes = [(true, 31415), (false, 92653)];
    let request = StreamingOutputCallRequest {
        response_parameters: sizes
            .map(|(compressed, size)| ResponseParameters {
                size,
                compressed: value(compressed),
                ..ResponseParameters::default()
            })
            .into(),
        ..StreamingOutputCallRequest::default()
    };
    let responses = client.streaming_output_call(request).await.unwrap();
    let mut responses = responses.into_inner();
    for (_, expected) in sizes {
        assert_eq!(size(&responses.message().await.unwrap().unwrap()), expected);
    }
    assert_eq!(responses.message().await.unwrap(), None);
    assert_eq!(wire.take_flags(), [1, 0]);
}
