//! Header lists of 8 KiB are accepted; the limit is configurable, and a longer list is RESOURCE_EXHAUSTED.

use tonic::Code;

use crate::support::{serve, serve_streams};

/// With the fields of the protocols, a list of 8 KiB.
const VALUE: usize = 8 * 1024;

#[tokio::test]
async fn eight_kib_pass_and_more_than_the_limit_is_refused() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let long = "v".repeat(VALUE);
    assert_eq!(
        client.call(b"", &[("x-long", &long)]).await.variables()["HTTP_X_LONG"],
        long
    );
    let too_long = "v".repeat(20 * 1024);
    let refused = client.call(b"", &[("x-long", &too_long)]).await;
    assert_eq!(
        refused.status(),
        (
            Code::ResourceExhausted,
            "the metadata exceeds the size limit"
        )
    );
}

#[tokio::test]
async fn eight_kib_of_many_fields_pass_both_ways() {
    let (_php_fpm, _proxy, client) = serve_streams("metadata_echo.php", &[]).await;
    let value = "v".repeat(64);
    let keys: Vec<String> = (0..80).map(|number| format!("x-{number}")).collect();
    let metadata: Vec<_> = keys
        .iter()
        .map(|key| (key.as_str(), value.as_str()))
        .collect();
    let response = client.call(b"", &metadata).await;
    let mut call = client.stream("BidiStream", &metadata);
    call.half_close();
    let headers = call.headers().await.clone();
    for echoed in [
        &response.headers,
        &response.trailers,
        &headers,
        call.end().await,
    ] {
        assert!(keys.iter().all(|key| echoed[key] == value));
    }
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let limit = |bytes| ["--max-metadata-size", bytes];
    let long = "v".repeat(20 * 1024);
    let (_php_fpm, _proxy, client) = serve("variables.php", &limit("40000")).await;
    let variables = client.call(b"", &[("x-long", &long)]).await.variables();
    assert_eq!(variables["HTTP_X_LONG"], long);
    let (_php_fpm, _proxy, client) = serve_streams("stream_echo.php", &limit("1024")).await;
    let mut call = client.stream("BidiStream", &[("x-long", &long[..1024])]);
    let refused = (
        Code::ResourceExhausted,
        "the metadata exceeds the size limit".into(),
    );
    assert_eq!(call.status().await, refused);
}

#[tokio::test]
async fn a_list_that_http2_itself_refuses_is_431_and_the_connection_goes_on() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let long = "v".repeat(100 * 1024);
    let headers = [("content-type", "application/grpc"), ("x-long", &long)];
    let response = client.send("/a.B/C", vec![0; 5], &headers).await.unwrap();
    assert_eq!(response.http_status, 431);
    assert_eq!(client.call(b"x", &[]).await.content(), b"x");
}
