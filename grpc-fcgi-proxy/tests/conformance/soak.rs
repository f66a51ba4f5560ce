//! The same call many times.

use super::{check_large, client, large_request};

const ITERATIONS: usize = 100;

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn rpc_soak() {
    let mut client = client().await;
    for _ in 0..ITERATIONS {
        check_large(client.unary_call(large_request()).await.unwrap().get_ref());
    }
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn channel_soak() {
    for _ in 0..ITERATIONS {
        let mut client = client().await;
        check_large(client.unary_call(large_request()).await.unwrap().get_ref());
    }
}
