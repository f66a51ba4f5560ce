//! A message is one byte of flags, four bytes of length, and the content; DATA frames do not align with messages.

use tonic::Code;

use crate::support::{message, serve, serve_streams};

const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[tokio::test]
async fn a_message_may_come_in_any_pieces() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    for byte in b"\0\0\0\0\x05hello\0\0\0\0\0" {
        call.send_bytes(&[*byte]);
    }
    call.half_close();
    assert_eq!(call.next().await.unwrap(), b"hello");
    assert_eq!(call.next().await.unwrap(), b"");
    assert_eq!(call.status().await.0, Code::Ok);
}

#[tokio::test]
async fn a_unary_message_may_come_in_any_pieces_too() {
    let (_php_fpm, _proxy, client) = serve_streams("echo.php", &[]).await;
    let mut call = client.stream("Method", &[]);
    for byte in message(b"hello") {
        call.send_bytes(&[byte]);
    }
    call.half_close();
    assert_eq!(call.next().await.unwrap(), b"hello");
    assert_eq!(call.status().await.0, Code::Ok);
}

#[tokio::test]
async fn several_messages_may_come_in_one_frame() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.send_bytes(&[message(b"one"), message(b""), message(b"three")].concat());
    call.half_close();
    for expected in [&b"one"[..], b"", b"three"] {
        assert_eq!(call.next().await.unwrap(), expected);
    }
    assert_eq!(call.status().await.0, Code::Ok);
}

#[tokio::test]
async fn the_length_is_in_big_endian_both_ways() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let body = [&b"\0\0\x01\x02\x03"[..], &[b'x'; 0x1_0203]].concat();
    let response = client.send("/a.B/C", body.clone(), &[GRPC]).await.unwrap();
    assert!(response.body == body);
}

#[tokio::test]
async fn half_a_message_and_unknown_flags_are_malformed() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for body in [&message(b"cut")[..6], b"\0\0", b"\x02\0\0\0\0"] {
        let response = client.send("/a.B/C", body.into(), &[GRPC]).await.unwrap();
        assert_eq!(
            response.status(),
            (Code::Internal, "malformed request message"),
            "{body:?}"
        );
    }
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[]);
    call.send_bytes(&message(b"cut")[..6]);
    call.half_close();
    assert_eq!(call.status().await.0, Code::Internal);
}
