//! grpc-status is decimal and in the trailers, for OK too; Trailers-Only is one HEADERS frame that ends the stream.
//!
//! The tests compare the bytes of grpc-status, not the code that they stand for.

use tonic::Code;

use crate::support::{HEADERS, Recorded, ending_with, message, serve, serve_streams};

/// A flag of HEADERS frames.
const END_STREAM: u8 = 0x1;

#[tokio::test]
async fn a_response_ends_with_trailers_and_has_no_content_length() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let response = client.call(b"x", &[]).await;
    assert_eq!(response.http_status, 200);
    assert_eq!(response.headers["content-type"], "application/grpc");
    assert_eq!(response.trailers["grpc-status"], "0");
    assert!(!response.headers.contains_key("content-length"));
    assert!(!response.headers.contains_key("grpc-status"));
}

#[tokio::test]
async fn a_stream_with_status_ok_has_it_in_its_trailers() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.send(b"one");
    call.half_close();
    assert!(!call.headers().await.contains_key("grpc-status"));
    assert_eq!(call.next().await.unwrap(), b"one");
    assert_eq!(call.end().await["grpc-status"], "0");
}

#[tokio::test]
async fn every_code_is_decimal_without_a_leading_zero() {
    let (_php_fpm, _proxy, client) = serve("status.php", &[]).await;
    for code in 0..=16 {
        let code = code.to_string();
        let response = client.call(b"", &[("x-status", &code)]).await;
        assert_eq!(response.status_fields()["grpc-status"], code);
    }
    // From a script these are invalid.
    for invalid in ["00", "05", "17", "-1", "five", "4294967296"] {
        let response = client.call(b"", &[("x-status", invalid)]).await;
        assert_eq!(response.status().0, Code::Unknown, "{invalid}");
    }
}

#[tokio::test]
async fn trailers_only_is_one_frame() {
    let (_php_fpm, proxy, _client) = serve("status.php", &[]).await;
    let recorded = Recorded::connect(proxy.address).await;
    let response = recorded
        .client
        .call(b"", &[ending_with(Code::NotFound)])
        .await;
    assert_eq!(response.headers["grpc-status"], "5");
    assert!(response.trailers.is_empty());
    let frames = recorded.frames_of(1);
    assert_eq!(frames[0].kind, HEADERS);
    assert_ne!(frames[0].flags & END_STREAM, 0, "{frames:?}");
    assert_eq!(frames.len(), 1, "{frames:?}");
}

#[tokio::test]
async fn trailers_after_a_message_end_the_stream() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &[]).await;
    let recorded = Recorded::connect(proxy.address).await;
    let response = recorded.client.call(b"x", &[]).await;
    assert_eq!(response.body, message(b"x"));
    let frames = recorded.frames_of(1);
    let (last, before) = frames.split_last().unwrap();
    assert_eq!(last.kind, HEADERS);
    assert_ne!(last.flags & END_STREAM, 0);
    assert!(before.iter().all(|frame| frame.flags & END_STREAM == 0));
}
