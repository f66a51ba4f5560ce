//! How an answer of PHP becomes a status.

use crate::support::serve;

#[tokio::test]
async fn a_script_says_its_status() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    let metadata = [
        ("x-status", "9"),
        ("x-message", "not%20%E2%98%BA now"),
        ("x-details-bin", "CAkSAA=="),
    ];
    let answer = client.call(b"", &metadata).await;
    assert_eq!(answer.status(), ("9", "not %E2%98%BA now"));
    assert_eq!(answer.headers["grpc-status-details-bin"], "CAkSAA");
    assert!(answer.body.is_empty() && answer.trailers.is_empty());
}

#[tokio::test]
async fn an_empty_message_with_status_ok_is_a_message() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    assert_eq!(client.call(b"", &[("x-status", "0")]).await.content(), b"");
}
