//! -bin values are sent as base64 without padding, accepted with and without, and split at commas; repeated keys keep their order.

use crate::support::{serve, serve_streams};

#[tokio::test]
async fn every_value_arrives_and_the_list_is_lossless() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let metadata = [
        ("x-twice", "first"),
        ("x-twice", "second, with a comma"),
        ("x-echo-bin", "q6ur"),
        ("x-echo-bin", "AA==,AQ"),
        ("user-agent", "test/1"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let variables = client.call(b"12345", &metadata).await.variables();
    assert_eq!(
        variables["GRPC_METADATA"],
        "x-twice: first\nx-twice: second, with a comma\nx-echo-bin: q6ur\nx-echo-bin: AA==\n\
         x-echo-bin: AQ\nuser-agent: test/1\n\
         traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
    );
    assert_eq!(variables["HTTP_X_TWICE"], "first, second, with a comma");
    assert_eq!(variables["HTTP_USER_AGENT"], "test/1");
    assert!(
        variables["HTTP_TRACEPARENT"]
            .as_str()
            .unwrap()
            .starts_with("00-0af")
    );
}

/// As the script writes them. A client must get TEXT and BINARY.
const WRITTEN: [(&str, &str); 5] = [
    ("x-a", "1, 2"),
    ("x-echo-bin", "q6ur"),
    ("x-echo-bin", "AA==,AQ, Ag=="),
    ("x-a", "3"),
    ("x-echo-bin", ""),
];
const TEXT: [&str; 2] = ["1, 2", "3"];
const BINARY: [&str; 5] = ["q6ur", "AA", "AQ", "Ag", ""];

fn values<'a>(metadata: &'a http::HeaderMap, key: &str) -> Vec<&'a http::HeaderValue> {
    metadata.get_all(key).iter().collect()
}

#[tokio::test]
async fn the_scripts_values_come_without_padding_and_in_order() {
    let (_php_fpm, _proxy, client) = serve_streams("metadata_echo.php", &[]).await;
    let response = client.call(b"", &WRITTEN).await;
    for metadata in [&response.headers, &response.trailers] {
        assert_eq!(values(metadata, "x-a"), TEXT);
        assert_eq!(values(metadata, "x-echo-bin"), BINARY);
    }
    let mut call = client.stream("BidiStream", &WRITTEN);
    call.half_close();
    let headers = call.headers().await.clone();
    let trailers = call.end().await;
    for metadata in [&headers, trailers] {
        assert_eq!(values(metadata, "x-a"), TEXT);
        assert_eq!(values(metadata, "x-echo-bin"), BINARY);
    }
}
