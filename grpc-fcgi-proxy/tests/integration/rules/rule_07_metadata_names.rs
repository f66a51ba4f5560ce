//! Keys consist of 0-9 a-z _ . -, and those with grpc- are reserved; an invalid value does not fail a call.

use tonic::Code;

use crate::support::{code, serve, serve_streams};

#[tokio::test]
async fn every_key_of_the_client_arrives_but_those_that_are_reserved() {
    let (_php_fpm, _proxy, client) = serve("variables.php", &[]).await;
    let metadata = [("0az_.-", "1"), ("grpc-own", "2"), ("grpcx", "3")];
    let variables = client.call(b"", &metadata).await.variables();
    assert_eq!(variables["GRPC_METADATA"], "0az_.-: 1\ngrpcx: 3\n");
}

#[tokio::test]
async fn invalid_metadata_does_not_fail_the_clients_call() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let metadata = [("x-text", "é"), ("x-echo-bin", "not base64!")];
    assert_eq!(client.call(b"x", &metadata).await.content(), b"x");
}

#[tokio::test]
async fn invalid_metadata_of_the_script_is_dropped_and_logged() {
    let (_php_fpm, mut proxy, client) = serve_streams("metadata_invalid.php", &[]).await;
    let response = client.call(b"x", &[]).await;
    assert_eq!(response.content(), b"x");
    let mut stream = client.stream("BidiStream", &[]);
    stream.half_close();
    let initial = stream.headers().await.clone();
    let trailers = stream.end().await.clone();
    assert_eq!(code(&trailers), Code::Ok);
    for metadata in [&response.headers, &response.trailers, &initial, &trailers] {
        assert_eq!(metadata["x-valid_0.a"], "yes");
        let invalid = metadata
            .iter()
            .find(|(_, value)| value.as_bytes().starts_with(b"no"));
        assert_eq!(invalid, None);
    }
    let dropped = "dropped header fields of the application that gRPC cannot carry";
    for _ in ["unary", "stream"] {
        let logged = proxy.logged(|record| record["message"] == dropped).await;
        let names = logged["fields"].as_str().unwrap();
        for name in ["grpc-own", "x-text", "x-echo-bin", "x space"] {
            assert!(names.contains(name), "{names}");
        }
    }
}
