//! Compression is per message; without an encoding or with an unknown one it is rejected; limits apply to the uncompressed message.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy, php, serve, serve_streams};

const GZIP: (&str, &str) = ("grpc-encoding", "gzip");
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// "hello" in the format of RFC 1952.
const HELLO: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07,
    0x00, 0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
];

fn compressed(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[1], &length[..], content].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

fn gunzip(compressed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    GzDecoder::new(compressed)
        .read_to_end(&mut content)
        .unwrap();
    content
}

/// Random bytes, which are not compressed in place.
fn large() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..200_000).map(|_| random.u8(..)).collect()
}

#[tokio::test]
async fn a_compressed_message_is_plain_for_php() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let response = client
        .send("/a.B/C", compressed(HELLO), &[GRPC, GZIP])
        .await
        .unwrap();
    assert_eq!(response.content(), b"hello");
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let response = client
        .send("/a.B/C", compressed(HELLO), &[GRPC, GZIP])
        .await
        .unwrap();
    let variables = response.variables();
    assert_eq!(
        (
            &variables["GRPC_MESSAGE_COMPRESSED"],
            &variables["CONTENT_LENGTH"]
        ),
        (&"1".into(), &"5".into())
    );
}

#[tokio::test]
async fn limits_hold_for_the_plain_message() {
    let limit = ["--max-receive-message-size", "30"];
    let refused = "the request message exceeds the size limit";
    let large = compressed(&gzip(&[b'x'; 31]));
    assert!(large.len() < 30);
    let (_php_fpm, _proxy, client) = serve("echo.php", &limit).await;
    let send = async |body| client.send("/a.B/C", body, &[GRPC, GZIP]).await.unwrap();
    assert_eq!(send(compressed(HELLO)).await.content(), b"hello");
    assert_eq!(
        send(large.clone()).await.status(),
        (Code::ResourceExhausted, refused)
    );
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &limit).await;
    let mut call = client.stream("BidiStream", &[GZIP]);
    call.send_bytes(&compressed(HELLO));
    assert_eq!(call.next().await.unwrap(), b"hello");
    call.send_bytes(&large);
    assert_eq!(
        call.status().await,
        (Code::ResourceExhausted, refused.into())
    );
}

#[tokio::test]
async fn messages_that_cannot_be_decompressed_are_refused() {
    let unknown = ("grpc-encoding", "snappy");
    let identity = ("grpc-encoding", "identity");
    let table = [
        (HELLO, vec![], Code::Internal),
        (HELLO, vec![identity], Code::Internal),
        (b"garbage", vec![GZIP], Code::Internal),
        (HELLO, vec![unknown], Code::Unimplemented),
    ];
    let (_php_fpm, _proxy, unary) = serve("echo.php", &[]).await;
    let (_php_fpm, _proxy, streaming) = serve_streams("stream_echo.php", &[]).await;
    for (content, headers, code) in table {
        let body = compressed(content);
        let all = [&[GRPC], &headers[..]].concat();
        let response = unary.send("/a.B/C", body.clone(), &all).await.unwrap();
        assert_eq!(response.status().0, code, "{headers:?}");
        let mut call = streaming.stream("BidiStream", &headers);
        call.send_bytes(&body);
        assert_eq!(call.status().await.0, code, "{headers:?}");
        for head in [&response.headers, call.headers().await] {
            assert_eq!(head["grpc-accept-encoding"], "identity,gzip,zstd");
        }
    }
}

/// The client may compress only what the server has said that it accepts.
#[tokio::test]
async fn an_unsupported_encoding_is_refused_from_the_header_fields() {
    let (_php_fpm, proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let unknown = [("grpc-encoding", "foo")];
    let refused = (Code::Unimplemented, "grpc-encoding is not supported".into());
    for path in [
        "/test.Service/Unary",
        "/test.Service/ClientStream",
        "/test.Service/ServerStream",
        "/test.Service/BidiStream",
        "/grpc.health.v1.Health/Check",
    ] {
        let mut call = client.stream_at(path, &unknown);
        // Neither a message nor a half-close is needed.
        assert_eq!(call.status().await, refused, "{path}");
        assert_eq!(
            call.headers().await["grpc-accept-encoding"],
            "identity,gzip,zstd"
        );
    }
    for outcome in ["complete", "failed", "abandoned"] {
        let exchanges = format!("fcgi_exchanges_total{{outcome=\"{outcome}\"}}");
        assert_eq!(proxy.metric(&exchanges).await, 0.0);
    }
}

#[tokio::test]
async fn a_stream_may_mix_compressed_and_plain_messages() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let mut call = client.stream("BidiStream", &[GZIP]);
    call.send(b"plain");
    assert_eq!(call.next().await.unwrap(), b"plain");
    call.send_bytes(&compressed(HELLO));
    assert_eq!(call.next().await.unwrap(), b"hello");
    call.half_close();
    assert_eq!(call.status().await.0, Code::Ok);
}

#[tokio::test]
async fn messages_are_compressed_one_by_one_if_the_client_accepts_it() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let accepts = ("grpc-accept-encoding", "gzip");
    for (metadata, flags) in [
        (vec![GZIP, ("x-encoding", "gzip"), accepts], [0, 1, 0]),
        (vec![GZIP, ("x-encoding", "gzip")], [0, 0, 0]),
    ] {
        let mut call = client.stream("BidiStream", &metadata);
        call.send(b"plain");
        call.send_bytes(&compressed(HELLO));
        call.send(b"plain");
        for flag in flags {
            assert_eq!(call.next_flagged().await.unwrap().0, flag);
        }
        call.half_close();
        assert_eq!(call.status().await.0, Code::Ok);
    }
}

#[tokio::test]
async fn a_large_message_is_compressed_both_ways() {
    let (_php_fpm, _proxy, client) = serve("told.php", &[]).await;
    let answer = json!({"http_status": 200, "fields": [["Grpc-Encoding", "Z3ppcA=="]]}).to_string();
    let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
    let request = gzip(&[&length, answer.as_bytes(), &large()].concat());
    let accepts = ("grpc-accept-encoding", "gzip");
    let response = client
        .send("/a.B/C", compressed(&request), &[GRPC, GZIP, accepts])
        .await
        .unwrap();
    assert_eq!(response.status(), (Code::Ok, ""));
    assert_eq!(response.headers["grpc-encoding"], "gzip");
    let (prefix, content) = response.body.split_at(5);
    assert_eq!(prefix, &compressed(content)[..5]);
    assert!(gunzip(content) == large());
}

/// A large message takes longer than the small ones behind it, and is compressed on another thread.
#[tokio::test]
async fn a_stream_of_large_and_small_messages_keeps_its_order() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &[]).await;
    let accepts = ("grpc-accept-encoding", "gzip");
    let mut call = client.stream("BidiStream", &[GZIP, ("x-encoding", "gzip"), accepts]);
    let (large, small) = (large(), b"small".to_vec());
    let contents = [&large, &small, &large, &large, &small, &small, &large];
    let requests = contents.map(|content| compressed(&gzip(content)));
    call.send_bytes(&requests.concat());
    for content in contents {
        let (flags, compressed) = call.next_flagged().await.unwrap();
        assert_eq!(flags, 1);
        assert!(gunzip(&compressed) == *content);
    }
    call.half_close();
    assert_eq!(call.status().await.0, Code::Ok);
}

/// PHP compresses a page for a browser; a message is no page.
#[tokio::test]
async fn php_does_not_compress_its_output() {
    let pool = "pm.max_children = 2\nphp_admin_flag[zlib.output_compression] = on\n";
    let php_fpm = PhpFpm::start_with(pool).await;
    let script = php("fixtures/echo.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
    let client = Client::connect(proxy.address).await;
    let accepts = ("accept-encoding", "gzip, deflate, br");
    let response = client.call(b"hello", &[accepts]).await;
    assert_eq!(response.content(), b"hello");
    assert!(!response.headers.contains_key("content-encoding"));
}

/// The client would take the compressed bytes for the message.
#[tokio::test]
async fn compressed_output_is_refused() {
    let (_php_fpm, mut proxy, client) = serve("told.php", &[]).await;
    for (fields, status) in [
        (
            json!([]),
            (Code::Internal, "the application's answer is malformed"),
        ),
        // An error page, which is discarded.
        (json!([["Grpc-Status", "NQ=="]]), (Code::NotFound, "")),
    ] {
        let mut fields = fields.as_array().unwrap().clone();
        fields.push(json!(["Content-Encoding", "Z3ppcA=="]));
        let answer = json!({"http_status": 200, "fields": fields}).to_string();
        let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
        let message = [&length, answer.as_bytes(), &gzip(b"hello")].concat();
        let response = client.call(&message, &[]).await;
        assert_eq!(response.status(), status);
        assert!(!response.headers.contains_key("content-encoding"));
    }
    let logged = proxy.logged(|record| record["error"].is_string()).await;
    let error = logged["error"].as_str().unwrap();
    assert!(error.contains("Content-Encoding"), "{error}");
}
