//! PHP sees and writes plain messages; clients may have them compressed.

use crate::support::{serve, serve_streams};

const GZIP: (&str, &str) = ("grpc-encoding", "gzip");
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// "hello", as RFC 1952 has it.
const HELLO: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07,
    0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
];

fn compressed(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[1], &length[..], content].concat()
}

#[tokio::test]
async fn a_compressed_message_is_plain_for_php() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let answer = client
        .send("/a.B/C", compressed(HELLO), &[GRPC, GZIP])
        .await
        .unwrap();
    assert_eq!(answer.content(), b"hello");
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let answer = client
        .send("/a.B/C", compressed(HELLO), &[GRPC, GZIP])
        .await
        .unwrap();
    let variables = answer.variables();
    assert_eq!(
        (
            &variables["GRPC_MESSAGE_COMPRESSED"],
            &variables["CONTENT_LENGTH"]
        ),
        (&"1".into(), &"5".into())
    );
}

#[tokio::test]
async fn limits_hold_for_the_plain_message_and_garbage_is_refused() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &["--max-receive-message-size", "4"]).await;
    let answer = client
        .send("/a.B/C", compressed(b""), &[GRPC, GZIP])
        .await
        .unwrap();
    assert_eq!(
        answer.status(),
        ("13", "the message cannot be decompressed")
    );
    let (_php_fpm, _proxy, client) = serve("echo.php", &["--max-receive-message-size", "30"]).await;
    let answer = client
        .send("/a.B/C", compressed(HELLO), &[GRPC, GZIP])
        .await
        .unwrap();
    assert_eq!(answer.content(), b"hello");
}

#[tokio::test]
async fn a_stream_may_mix_compressed_and_plain_messages() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[GZIP]);
    call.send(b"plain");
    assert_eq!(call.next().await.unwrap(), b"plain");
    call.send_bytes(&compressed(HELLO));
    assert_eq!(call.next().await.unwrap(), b"hello");
    call.send_bytes(&compressed(b"garbage"));
    assert_eq!(call.status().await.0, "13");
}
