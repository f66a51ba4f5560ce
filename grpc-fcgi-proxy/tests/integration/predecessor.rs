//! Regression tests for the bugs of the Go program that this one replaces.
//!
//! Those of the codec and the pool are unit tests: `a_failed_dial_gives_its_place_back`,
//! `a_pair_that_does_not_fit_is_refused_not_truncated`, `every_value_of_a_key_arrives_in_order`, and the body of
//! END_REQUEST in `records_decode_with_padding_and_leave_what_follows`.
//!
//! In resident workers only the application of the kit: a script of the predecessor's does not know them, and keeps running
//! by itself with `--resident-exclude`.

use proto::item::item_service_client::ItemServiceClient;
use proto::item::{GetItemRequest, ListItemsRequest};

use tonic::Code;

use crate::support::{MODES, PhpFpm, Proxy, php, serve};

#[tokio::test]
async fn an_old_application_works_unchanged() {
    let beside_resident = [
        "--resident-workers",
        "1",
        "--resident-exclude",
        "item.ItemService",
        "--route",
        &format!("test.Service={}", php("fixtures/resident.php").display()),
    ];
    for flags in [&[][..], &beside_resident] {
        let (_php_fpm, proxy, _client) = serve("legacy.php", flags).await;
        works_unchanged(&proxy).await;
    }
}

async fn works_unchanged(proxy: &Proxy) {
    let mut client = ItemServiceClient::connect(format!("http://{}", proxy.address))
        .await
        .unwrap();
    let item = client
        .get_item(GetItemRequest { id: "7".into() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((item.id.as_str(), item.name.as_str()), ("7", "legacy"));
    let page = client
        .list_items(ListItemsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.next_page_token, "legacy");
}

#[tokio::test]
async fn stderr_is_not_merged_into_the_header_fields() {
    let (_php_fpm, _proxy, client) = serve("stderr.php", &[]).await;
    let response = client.call(b"body", &[]).await;
    assert_eq!(response.content(), b"body");
    assert_eq!(response.headers.len(), 2, "{:?}", response.headers);
}

#[tokio::test]
async fn failures_are_distinguished_and_hide_phps_output() {
    let (_php_fpm, _proxy, client) = serve("http_status.php", &[]).await;
    let response = client.call(b"", &[("x-http-status", "403")]).await;
    assert_eq!(
        response.status(),
        (
            Code::PermissionDenied,
            "the application answered with HTTP status 403"
        )
    );
}

#[tokio::test]
async fn more_than_four_exchanges_run_at_once() {
    let (_php_fpm, proxy, client) = serve("sleep.php", &[]).await;
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call(b"", &[("x-seconds", "1")]).await })
        })
        .collect();
    proxy.metric_becomes("fcgi_exchanges_running", 5.0).await;
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn the_headers_of_auxiliary_paths_are_kept() {
    let php_fpm = PhpFpm::start().await;
    let flag = format!(
        "--aux-path=/metadata={}",
        php("fixtures/metadata.php").display()
    );
    let script = php("fixtures/echo.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[&flag]).await;
    let (head, _) = proxy.get("/metadata").await;
    assert!(
        head.contains("x-initial: first\r\nx-initial: second"),
        "{head}"
    );
}

#[tokio::test]
async fn list_items_does_not_run_get_item() {
    let script = php("item/index.php");
    for flags in MODES {
        let php_fpm = PhpFpm::start().await;
        let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), flags).await;
        let mut client = ItemServiceClient::connect(format!("http://{}", proxy.address))
            .await
            .unwrap();
        let page = client.list_items(ListItemsRequest::default()).await;
        assert_eq!(page.unwrap().into_inner().items.len(), 5);
    }
}
