//! Metadata that the server echoes.

use futures_util::stream::iter;
use tonic::Request;
use tonic::metadata::{MetadataMap, MetadataValue};

use super::{LARGE_REQUEST, LARGE_RESPONSE, client, large_request, output_request, size};

const INITIAL: (&str, &str) = ("x-grpc-test-echo-initial", "test_initial_metadata_value");
const TRAILING: (&str, &[u8]) = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab");

fn with_metadata<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(INITIAL.0, INITIAL.1.parse().unwrap());
    metadata.insert_bin(TRAILING.0, MetadataValue::from_bytes(TRAILING.1));
    request
}

fn check_initial(metadata: &MetadataMap) {
    assert_eq!(metadata.get(INITIAL.0).unwrap(), INITIAL.1);
}

fn check_trailing(metadata: &MetadataMap) {
    let value = metadata.get_bin(TRAILING.0).unwrap();
    assert_eq!(value.to_bytes().unwrap(), TRAILING.1);
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn custom_metadata() {
    let mut client = client().await;
    let unary = client.unary_call(with_metadata(large_request())).await;
    let unary = unary.unwrap();
    check_initial(unary.metadata());
    // tonic merges the trailing metadata of a unary call into the initial metadata.
    check_trailing(unary.metadata());

    let requests = iter([output_request(LARGE_RESPONSE, LARGE_REQUEST)]);
    let duplex = client.full_duplex_call(with_metadata(requests)).await;
    let mut duplex = duplex.unwrap();
    check_initial(duplex.metadata());
    let response = duplex.get_mut().message().await.unwrap().unwrap();
    assert_eq!(size(&response), LARGE_RESPONSE);
    assert_eq!(duplex.get_mut().message().await.unwrap(), None);
    check_trailing(&duplex.get_mut().trailers().await.unwrap().unwrap());
}
