//! Trailers sent before the client's half-close are followed by RST_STREAM with NO_ERROR; GOAWAY precedes the closing of a connection.

use tonic::Code;

use crate::support::{GOAWAY, HEADERS, RST_STREAM, Recorded, ending_with, serve, serve_streams};

const NO_ERROR: [u8; 4] = [0; 4];

/// The last two frames of the first call.
async fn check_end(recorded: &Recorded) {
    let reset = recorded.next(RST_STREAM).await;
    assert_eq!((reset.stream, &reset.payload[..]), (1, &NO_ERROR[..]));
    let frames = recorded.frames_of(1);
    let kinds: Vec<u8> = frames.iter().map(|frame| frame.kind).collect();
    assert!(kinds.ends_with(&[HEADERS, RST_STREAM]), "{kinds:?}");
}

#[tokio::test]
async fn an_early_end_of_a_stream_is_no_error() {
    let (_php_fpm, proxy, _client) = serve_streams("stream_trailers.php", &[]).await;
    let recorded = Recorded::connect(proxy.address).await;
    let mut call = recorded
        .client
        .stream("BidiStream", &[ending_with(Code::Ok)]);
    call.send(b"more would follow");
    assert!(call.next().await.is_some());
    assert_eq!(call.status().await.0, Code::Ok);
    check_end(&recorded).await;
    // Only that stream has ended.
    let mut next = recorded
        .client
        .stream("BidiStream", &[ending_with(Code::Ok)]);
    assert!(next.next().await.is_some());
    assert_eq!(next.status().await.0, Code::Ok);
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_message_is_no_error() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &["--max-receive-message-size", "10"]).await;
    let recorded = Recorded::connect(proxy.address).await;
    let mut call = recorded.client.stream("Method", &[]);
    call.send_bytes(b"\0\0\0\0\x0bhalf");
    assert_eq!(call.status().await.0, Code::ResourceExhausted);
    check_end(&recorded).await;
}

#[tokio::test]
async fn a_call_that_was_half_closed_is_not_reset() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &[]).await;
    let recorded = Recorded::connect(proxy.address).await;
    recorded.client.call(b"one", &[]).await;
    recorded.client.call(b"two", &[]).await;
    let first = recorded.frames_of(1);
    assert!(first.iter().all(|frame| frame.kind != RST_STREAM));
}

#[tokio::test]
async fn a_connection_is_closed_with_goaway() {
    let (_php_fpm, mut proxy, _client) = serve("echo.php", &[]).await;
    let recorded = Recorded::connect(proxy.address).await;
    recorded.client.call(b"x", &[]).await;
    proxy.terminate();
    let goaway = recorded.next(GOAWAY).await;
    assert_eq!(goaway.payload[4..8], NO_ERROR);
    assert!(proxy.wait().await.success());
}
