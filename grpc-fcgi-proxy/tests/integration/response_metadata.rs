//! The limit on what a response carries in its header fields and its trailers.

use http::HeaderMap;
use tonic::Code;

use crate::support::{Client, Proxy, code, ending_with, serve_streams};

/// What clients accept by default, :status included.
const CLIENT_LIMIT: usize = 8 * 1024;
const MARK: &str = " [truncated]";
const SHORTENED: &str =
    "dropped or shortened header fields of the application that exceed the size limit";

fn list_size(fields: &HeaderMap) -> usize {
    let size = fields
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32);
    size.sum::<usize>() + ":status".len() + "200".len() + 32
}

/// The fields with the status: of a unary call, which is one header block if it fails without trailing metadata, and of a
/// streaming call behind a message.
async fn statuses(client: &Client, metadata: &[(&str, &str)]) -> [HeaderMap; 2] {
    let unary = client.call(b"", metadata).await;
    let mut stream = client.stream("BidiStream", metadata);
    stream.half_close();
    assert!(stream.next().await.is_some());
    [unary.status_fields().clone(), stream.end().await.clone()]
}

async fn shortened(proxy: &mut Proxy) -> String {
    let record = proxy.logged(|record| record["message"] == SHORTENED).await;
    record["fields"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_long_message_is_cut_and_the_code_arrives() {
    let (_php_fpm, mut proxy, client) = serve_streams("large_fields.php", &[]).await;
    for (count, character) in [("12000", "x"), ("60000", "x"), ("6000", "☺"), ("3000", "%")] {
        let metadata = [
            ending_with(Code::NotFound),
            ("x-message", count),
            ("x-character", character),
        ];
        for fields in statuses(&client, &metadata).await {
            let status = tonic::Status::from_header_map(&fields).unwrap();
            assert_eq!(status.code(), Code::NotFound);
            let text = status.message().strip_suffix(MARK).unwrap();
            assert!(text.chars().all(|c| c.to_string() == character), "{text}");
            let size = list_size(&fields);
            assert!((7 * 1024..CLIENT_LIMIT).contains(&size), "{size}");
            assert_eq!(shortened(&mut proxy).await, "grpc-message");
        }
    }
    let metadata = [ending_with(Code::NotFound), ("x-message", "7000")];
    for fields in statuses(&client, &metadata).await {
        assert_eq!(fields["grpc-message"], "v".repeat(7000));
    }
}

#[tokio::test]
async fn details_and_metadata_that_do_not_fit_are_dropped_and_the_code_arrives() {
    let (_php_fpm, mut proxy, client) = serve_streams("large_fields.php", &[]).await;
    let large = [
        (["x-details", "20000"], "grpc-status-details-bin"),
        (["x-trailing", "20000"], "x-trailing"),
    ];
    for ([name, size], field) in large {
        let metadata = [
            ending_with(Code::Aborted),
            ("x-message", "100"),
            (name, size),
        ];
        for fields in statuses(&client, &metadata).await {
            assert_eq!(code(&fields), Code::Aborted);
            assert_eq!(fields["grpc-message"], "v".repeat(100));
            assert_eq!(fields.get(field), None);
            assert_eq!(fields.contains_key("x-small"), name == "x-trailing");
            assert_eq!(shortened(&mut proxy).await, field);
        }
    }
    let metadata = [ending_with(Code::Aborted), ("x-initial", "20000")];
    let response = client.call(b"", &metadata).await;
    assert_eq!(response.status(), (Code::Aborted, ""));
    assert_eq!(response.headers.get("x-initial"), None);
    assert_eq!(shortened(&mut proxy).await, "x-initial");
}

#[tokio::test]
async fn a_call_that_would_succeed_without_its_metadata_fails() {
    let (_php_fpm, mut proxy, client) = serve_streams("large_fields.php", &[]).await;
    let refused = (
        Code::ResourceExhausted,
        "the application's metadata exceeds the size limit",
    );
    for name in ["initial", "trailing"] {
        let (key, field) = (format!("x-{name}"), format!("x-{name}"));
        let metadata = [(key.as_str(), "9000")];
        let response = client.call(b"", &metadata).await;
        assert_eq!(response.status(), refused);
        let mut stream = client.stream("BidiStream", &metadata);
        stream.half_close();
        if name == "trailing" {
            assert!(stream.next().await.is_some());
        }
        let (code, message) = stream.status().await;
        assert_eq!((code, message.as_str()), refused);
        for _ in ["unary", "stream"] {
            let failed = proxy
                .logged(|record| record["message"] == "call failed")
                .await;
            let error = failed["error"].as_str().unwrap();
            assert!(error.contains(&field), "{error}");
        }
    }
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let limit = ["--max-response-metadata-size", "20000"];
    let (_php_fpm, _proxy, client) = serve_streams("large_fields.php", &limit).await;
    let metadata = [ending_with(Code::NotFound), ("x-message", "12000")];
    for fields in statuses(&client, &metadata).await {
        assert_eq!(fields["grpc-message"], "v".repeat(12_000));
    }
    let metadata = [("x-initial", "12000"), ("x-trailing", "12000")];
    let response = client.call(b"", &metadata).await;
    assert_eq!(response.status(), (Code::Ok, ""));
    assert_eq!(response.headers["x-initial"].len(), 12_000);
    assert_eq!(response.trailers["x-trailing"].len(), 12_000);
}
