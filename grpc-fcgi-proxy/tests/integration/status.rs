//! The status in PHP's answer.

use tonic::Code;

use crate::support::{ending_with, serve};

#[tokio::test]
async fn a_script_sets_the_status() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    let metadata = [
        ending_with(Code::FailedPrecondition),
        ("x-message", "not%20%E2%98%BA now"),
        ("x-details-bin", "CAkSAA=="),
    ];
    let response = client.call(b"", &metadata).await;
    assert_eq!(
        response.status(),
        (Code::FailedPrecondition, "not %E2%98%BA now")
    );
    assert_eq!(response.headers["grpc-status-details-bin"], "CAkSAA");
    assert!(response.body.is_empty() && response.trailers.is_empty());
}

#[tokio::test]
async fn an_empty_message_with_status_ok_is_a_message() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    assert_eq!(
        client.call(b"", &[ending_with(Code::Ok)]).await.content(),
        b""
    );
}
