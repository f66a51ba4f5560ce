//! One message each way.

use proto::grpc_testing::Empty;

use super::{check_large, client, large_request};

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn empty_unary() {
    let response = client().await.empty_call(Empty {}).await.unwrap();
    assert_eq!(response.into_inner(), Empty {});
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn large_unary() {
    let response = client().await.unary_call(large_request()).await.unwrap();
    check_large(response.get_ref());
}
