//! grpc-message is UTF-8, percent-encoded outside 0x20–0x24 and 0x26–0x7E; decoding it never fails.

use proto::item::ListItemsRequest;
use proto::item::item_service_client::ItemServiceClient;

use tonic::Code;

use crate::support::{ending_with, serve, serve_streams};

/// The message that a script writes, its bytes on the wire, and the message that a client reads.
const TABLE: [(&str, &str, &str); 7] = [
    ("a b!\"#$&'~", "a b!\"#$&'~", "a b!\"#$&'~"),
    ("%09%0D%0A%7F%25", "%09%0D%0A%7F%25", "\t\r\n\u{7f}%"),
    ("☺ 😈", "%E2%98%BA %F0%9F%98%88", "☺ 😈"),
    ("%E2%98%BA", "%E2%98%BA", "☺"),
    ("50% off", "50%25 off", "50% off"),
    ("%4", "%254", "%4"),
    ("%FF", "%EF%BF%BD", "\u{fffd}"),
];

#[tokio::test]
async fn a_message_is_encoded_whatever_the_script_writes() {
    let (_php_fpm, proxy, client) = serve("status.php", &[]).await;
    for (written, encoded, _) in TABLE {
        let metadata = [
            ending_with(Code::FailedPrecondition),
            ("x-message", written),
        ];
        let response = client.call(b"", &metadata).await;
        assert_eq!(
            response.status(),
            (Code::FailedPrecondition, encoded),
            "{written}"
        );
    }
    let mut client = ItemServiceClient::connect(format!("http://{}", proxy.address))
        .await
        .unwrap();
    for (_, encoded, read) in TABLE {
        let mut request = tonic::Request::new(ListItemsRequest::default());
        let metadata = request.metadata_mut();
        let (key, code) = ending_with(Code::FailedPrecondition);
        metadata.insert(key, code.parse().unwrap());
        metadata.insert("x-message", encoded.parse().unwrap());
        let status = client.list_items(request).await.unwrap_err();
        assert_eq!(status.message(), read);
    }
}

#[tokio::test]
async fn the_message_in_the_trailers_of_a_stream_is_encoded_too() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_trailers.php", &[]).await;
    for (written, encoded, _) in TABLE {
        let metadata = [
            ending_with(Code::FailedPrecondition),
            ("x-message", written),
        ];
        let mut call = client.stream("BidiStream", &metadata);
        assert!(call.next().await.is_some());
        assert_eq!(
            call.status().await,
            (Code::FailedPrecondition, encoded.into()),
            "{written}"
        );
    }
}
