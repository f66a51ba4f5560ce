//! Retries (gRFC A6).

use tonic::Code;

use crate::support::{code, ending_with, serve, serve_streams};

#[tokio::test]
async fn a_script_delays_a_retry() {
    let (_php_fpm, _proxy, client) = serve_streams("retry.php", &[]).await;
    let metadata = [("x-pushback", "1500")];
    let response = client.call(b"", &metadata).await;
    let mut stream = client.stream("BidiStream", &metadata);
    let streamed = stream.headers().await.clone();
    // A client retries only a response that is one header block, even though there is initial metadata.
    for fields in [&response.headers, &streamed] {
        assert_eq!(code(fields), Code::Unavailable);
        assert_eq!(fields["grpc-retry-pushback-ms"], "1500");
        assert!(fields.contains_key("x-initial"));
    }
    assert!(response.trailers.is_empty() && response.body.is_empty());
    assert_eq!(stream.end().await, &streamed);
}

#[tokio::test]
async fn a_call_that_failed_without_initial_metadata_may_be_retried() {
    let (_php_fpm, _proxy, client) = serve_streams("large_fields.php", &[]).await;
    let metadata = [ending_with(Code::Unavailable), ("x-trailing", "3")];
    let response = client.call(b"", &metadata).await;
    assert_eq!(code(&response.headers), Code::Unavailable);
    assert_eq!(response.headers["x-trailing"], "vvv");
    assert!(response.trailers.is_empty());
    let metadata = [&metadata[..], &[("x-initial", "3")]].concat();
    let response = client.call(b"", &metadata).await;
    assert!(!response.headers.contains_key("grpc-status"));
    assert_eq!(response.headers["x-initial"], "vvv");
    assert_eq!(response.trailers["x-trailing"], "vvv");
}

#[tokio::test]
async fn a_script_reads_the_number_of_attempts() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let metadata = [("grpc-previous-rpc-attempts", "2")];
    let variables = client.call(b"", &metadata).await.variables();
    assert_eq!(
        variables["GRPC_METADATA"],
        "grpc-previous-rpc-attempts: 2\n"
    );
}
