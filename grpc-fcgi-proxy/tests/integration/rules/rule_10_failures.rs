//! An unknown method and a wrong number of messages are UNIMPLEMENTED, an exception UNKNOWN, a shutdown UNAVAILABLE, no free worker RESOURCE_EXHAUSTED.

use proto::item::ListItemsRequest;
use proto::item::item_service_client::ItemServiceClient;
use tonic::Code;

use crate::support::{Client, MODES, PhpFpm, Proxy, message, php, serve, serve_streams};

#[tokio::test]
async fn a_path_that_names_no_method_is_unimplemented() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    for path in ["/", "/a.B", "/a.B/C/D", "/a%2eB/C"] {
        assert_eq!(
            client.call_method(path, b"", &[]).await.status(),
            (Code::Unimplemented, "no such method"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_uncaught_exception_is_unknown_and_only_logged() {
    let (_php_fpm, mut proxy, client) = serve("fatal.php", &[]).await;
    let response = client.call(b"", &[]).await;
    assert_eq!(
        response.status(),
        (
            Code::Unknown,
            "the application answered with HTTP status 500"
        )
    );
    let logged = proxy
        .logged(|record| record["target"] == "application")
        .await;
    assert!(
        logged["message"]
            .as_str()
            .unwrap()
            .contains("a secret of the application")
    );
}

#[tokio::test]
async fn a_server_streaming_call_has_exactly_one_message() {
    let (_php_fpm, _proxy, client) = serve_streams("stream_count.php", &[]).await;
    for count in [0, 2] {
        let mut call = client.stream("ServerStream", &[("x-count", "1"), ("x-size", "1")]);
        for _ in 0..count {
            call.send(b"");
        }
        call.half_close();
        while call.next().await.is_some() {}
        assert_eq!(
            call.status().await.0,
            Code::Unimplemented,
            "{count} messages"
        );
    }
}

#[tokio::test]
async fn a_call_that_waits_too_long_is_refused() {
    let flags = ["--max-exchanges", "1", "--max-wait", "50ms"];
    let (_php_fpm, proxy, client) = serve("sleep.php", &flags).await;
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.call(b"slow", &[("x-seconds", "2")]).await }
    });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    let refused = client.call(b"", &[("x-seconds", "0")]).await;
    assert_eq!(
        refused.status(),
        (
            Code::ResourceExhausted,
            "no application worker became free in time"
        )
    );
    assert_eq!(running.await.unwrap().content(), b"slow");
    assert_eq!(
        client.call(b"next", &[("x-seconds", "0")]).await.content(),
        b"next"
    );
}

#[tokio::test]
async fn a_method_that_the_application_lacks_is_unimplemented() {
    let php_fpm = PhpFpm::start().await;
    let script = php("item/index.php");
    for flags in MODES {
        let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), flags).await;
        let client = Client::connect(proxy.address).await;
        for path in ["/item.ItemService/Other", "/other.Service/GetItem"] {
            let response = client.call_method(path, b"", &[]).await;
            assert_eq!(response.status().0, Code::Unimplemented, "{path} {flags:?}");
        }
    }
}

#[tokio::test]
async fn a_unary_call_has_exactly_one_message() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let grpc = [("content-type", "application/grpc")];
    for count in [0, 2] {
        let response = client.send("/a.B/C", message(b"one").repeat(count), &grpc);
        let expected = (Code::Unimplemented, "the method takes exactly one message");
        assert_eq!(
            response.await.unwrap().status(),
            expected,
            "{count} messages"
        );
    }
}

#[tokio::test]
async fn a_call_that_a_shutdown_aborts_is_unavailable() {
    let flags = ["--drain-timeout", "50ms"];
    let (_php_fpm, mut proxy, client) = serve_streams("stream_slow.php", &flags).await;
    let mut running = client.stream("BidiStream", &[]);
    assert!(running.next().await.is_some());
    let url = format!("http://{}", proxy.address);
    let mut other = ItemServiceClient::connect(url).await.unwrap();
    proxy.terminate();
    while running.next().await.is_some() {}
    let stopping = (Code::Unavailable, "the proxy is shutting down".into());
    assert_eq!(running.status().await, stopping);
    assert!(proxy.wait().await.success());
    let response = other.list_items(ListItemsRequest::default()).await;
    assert_eq!(response.unwrap_err().code(), Code::Unavailable);
}
