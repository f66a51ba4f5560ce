//! Calls that end with a status other than OK.

use futures_util::stream::iter;
use proto::grpc_testing::unimplemented_service_client::UnimplementedServiceClient;
use proto::grpc_testing::{Empty, SimpleRequest, StreamingOutputCallRequest};
use tonic::{Code, Status};

use super::{channel, client, echo_status};

const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

async fn check_echoed(message: &str) {
    let mut client = client().await;
    let response_status = echo_status(Code::Unknown, message);
    let check = |status: &Status| {
        assert_eq!((status.code(), status.message()), (Code::Unknown, message));
    };
    let request = SimpleRequest {
        response_status: response_status.clone(),
        ..SimpleRequest::default()
    };
    check(&client.unary_call(request).await.unwrap_err());
    let request = StreamingOutputCallRequest {
        response_status,
        ..StreamingOutputCallRequest::default()
    };
    match client.full_duplex_call(iter([request])).await {
        Ok(mut responses) => check(&responses.get_mut().message().await.unwrap_err()),
        Err(status) => check(&status),
    }
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn status_code_and_message() {
    check_echoed("test status message").await;
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn special_status_message() {
    check_echoed(SPECIAL).await;
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn unimplemented_method() {
    let response = client().await.unimplemented_call(Empty {}).await;
    assert_eq!(response.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn unimplemented_service() {
    let mut client = UnimplementedServiceClient::new(channel().await);
    let response = client.unimplemented_call(Empty {}).await;
    assert_eq!(response.unwrap_err().code(), Code::Unimplemented);
}
