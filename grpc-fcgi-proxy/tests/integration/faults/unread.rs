//! A script that answers without reading its input.

use tonic::Code;

use super::{check_recovery, serve_fixture};
use crate::support::message;

const SIZE: usize = 10 * 1024 * 1024;
const RAISED: [&str; 2] = ["--max-receive-message-size", "10485760"];

#[tokio::test]
async fn a_unary_request_of_10_mib_may_stay_unread() {
    let (php_fpm, proxy, client) = serve_fixture("early.php", &RAISED).await;
    let response = client.call(&vec![b'x'; SIZE], &[]).await;
    assert_eq!(response.content(), b"0123456789");
    check_recovery(&php_fpm, &proxy, &client).await;
}

#[tokio::test]
async fn a_stream_of_10_mib_may_stay_unread() {
    let (php_fpm, proxy, client) = serve_fixture("stream_never_reads.php", &RAISED).await;
    for kind in ["ClientStream", "ServerStream", "BidiStream"] {
        let mut call = client.stream(kind, &[]);
        call.send_bytes(&message(&vec![b'x'; SIZE]));
        call.half_close();
        for number in 0..10 {
            let expected = format!("message {number}");
            assert_eq!(call.next().await.unwrap(), expected.as_bytes(), "{kind}");
        }
        assert_eq!(call.status().await.0, Code::Ok, "{kind}");
        check_recovery(&php_fpm, &proxy, &client).await;
    }
}
