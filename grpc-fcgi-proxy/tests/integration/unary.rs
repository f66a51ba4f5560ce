//! Unary calls over a Unix socket and over TCP.

use std::net::SocketAddr;

use proto::item::item_service_client::ItemServiceClient;
use proto::item::{GetItemRequest, ListItemsRequest};
use tonic::Code;

use crate::support::{Client, MODES, PhpFpm, Proxy, php, serve};

#[tokio::test]
async fn a_message_goes_to_php_and_back_over_both_kinds_of_socket() {
    for php_fpm in [PhpFpm::start().await, PhpFpm::start_on_tcp().await] {
        let script = php("fixtures/echo.php");
        let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
        let client = Client::connect(proxy.address).await;
        let sizes = [0, 1, 5, 1000, 65_528, 65_535, 65_536, 1_000_000];
        for size in sizes {
            let content: Vec<u8> = (0..=255).cycle().take(size).collect();
            assert_eq!(
                client.call(&content, &[]).await.content(),
                content,
                "{size} bytes"
            );
        }
    }
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let (_php_fpm, proxy, client) = serve("echo.php", &["--max-exchanges", "2"]).await;
    let calls = (0..200).map(|n: u32| {
        let client = client.clone();
        tokio::spawn(async move {
            client.call(&n.to_be_bytes(), &[]).await.content() == n.to_be_bytes()
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(
        proxy
            .metric("fcgi_exchanges_total{outcome=\"complete\"}")
            .await,
        200.0
    );
    assert_eq!(proxy.metric("fcgi_exchanges_running").await, 0.0);
}

#[tokio::test]
async fn a_script_may_answer_without_reading_its_input() {
    let (_php_fpm, _proxy, client) = serve("early.php", &[]).await;
    for size in [0, 100, 3_000_000] {
        assert_eq!(
            client.call(&vec![b'x'; size], &[]).await.content(),
            b"0123456789"
        );
    }
}

#[tokio::test]
async fn the_item_application_is_served() {
    let (php_fpm, script) = (PhpFpm::start().await, php("item/index.php"));
    for flags in MODES {
        let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), flags).await;
        check_item_application(proxy.address).await;
    }
}

async fn check_item_application(address: SocketAddr) {
    let mut client = ItemServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();

    let items = client
        .list_items(ListItemsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .items;
    assert_eq!(items.len(), 5);
    let id = items[0].id.clone();
    let item = client
        .get_item(GetItemRequest { id })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(item, items[0]);

    let error = client
        .get_item(GetItemRequest { id: "none".into() })
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::NotFound, "not found: item/none")
    );
    let error = client
        .get_item(GetItemRequest { id: "!".into() })
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(!error.details().is_empty());
}

#[tokio::test]
async fn metrics_have_the_names_of_go_grpc_prometheus() {
    let (_php_fpm, proxy, client) = serve("echo.php", &[]).await;
    client.call_method("/a.B/C", b"x", &[]).await;
    client
        .send(
            "/no-method",
            vec![],
            &[("content-type", "application/grpc")],
        )
        .await
        .unwrap();
    let labels = r#"grpc_method="C",grpc_service="a.B",grpc_type="unary""#;
    for name in [
        "started_total",
        "msg_received_total",
        "msg_sent_total",
        "handling_seconds_count",
    ] {
        assert_eq!(
            proxy
                .metric(&format!("grpc_server_{name}{{{labels}}}"))
                .await,
            1.0,
            "{name}"
        );
    }
    for name in ["fcgi_wait_seconds_count", "fcgi_exchange_seconds_count"] {
        assert_eq!(proxy.metric(name).await, 1.0, "{name}");
    }
    let handled = |code: &str, method: &str, service: &str| {
        format!(
            "grpc_server_handled_total{{grpc_code=\"{code}\",grpc_method=\"{method}\",\
             grpc_service=\"{service}\",grpc_type=\"unary\"}}"
        )
    };
    assert_eq!(proxy.metric(&handled("OK", "C", "a.B")).await, 1.0);
    assert_eq!(
        proxy
            .metric(&handled("Unimplemented", "unknown", "unknown"))
            .await,
        1.0
    );
}

#[tokio::test]
async fn one_proxy_fronts_several_applications() {
    let shop = format!("--route=shop.v1.*={}", php("fixtures/early.php").display());
    let (_php_fpm, _proxy, client) = serve("echo.php", &[&shop]).await;
    assert_eq!(
        client
            .call_method("/shop.v1.Cart/Add", b"x", &[])
            .await
            .content(),
        b"0123456789"
    );
    assert_eq!(
        client
            .call_method("/shop.v2.Cart/Add", b"x", &[])
            .await
            .content(),
        b"x"
    );
}
