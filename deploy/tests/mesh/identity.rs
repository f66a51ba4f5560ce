//! Mutual TLS: the permitted callers.

use std::fs;
use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::callers;
use crate::pods::{address, curl_with, state};

/// Calls an app's Envoy with the certificate of another app, or none. Any response means that Envoy accepts the caller.
fn is_accepted(caller: Option<&str>, callee: &str) -> bool {
    let pem = |app: &str, name: &str| fs::read(state(&format!("certs/{app}/{name}"))).unwrap();
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(pem(callee, "ca.crt")))
        .domain_name(callee);
    if let Some(caller) = caller {
        tls = tls.identity(Identity::from_pem(
            pem(caller, "tls.crt"),
            pem(caller, "tls.key"),
        ));
    }
    let url = format!("https://{}:8080", address(&format!("{callee}-1")));
    let endpoint = Endpoint::from_shared(url)
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .timeout(Duration::from_secs(5));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let Ok(channel) = endpoint.connect().await else {
            return false;
        };
        // In TLS 1.3, a client learns after its handshake that the server rejects its certificate.
        let mut client = proto::item::item_service_client::ItemServiceClient::new(channel);
        match client
            .list_items(proto::item::ListItemsRequest::default())
            .await
        {
            Ok(_) => true,
            Err(status) => {
                status.metadata().contains_key("content-type")
                    || status.code() == tonic::Code::Unimplemented
            }
        }
    })
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn only_permitted_callers_are_accepted() {
    let apps = ["ingress", "frontend", "user", "order", "item"];
    let permitted = callers::permitted();
    // All but the ingress, which anyone may call.
    for callee in &apps[1..] {
        for caller in apps {
            assert_eq!(
                is_accepted(Some(caller), callee),
                permitted.contains(&(caller.to_owned(), (*callee).to_owned())),
                "{caller} calls {callee}"
            );
        }
        assert!(
            !is_accepted(None, callee),
            "a caller without a certificate calls {callee}"
        );
    }
}

/// The status and the text, header fields included, of item's response to a request with the certificate of another app.
fn call_item(caller: &str, method: &str, path: &str, more: &[&str]) -> (u16, String) {
    let file = |app: &str, name: &str| state(&format!("certs/{app}/{name}")).display().to_string();
    let (authority, certificate, key) = (
        file("item", "ca.crt"),
        file(caller, "tls.crt"),
        file(caller, "tls.key"),
    );
    let place = format!("item:8080:{}:8080", address("item-1"));
    let mut options = vec!["--include", "--http2", "--request", method];
    options.extend([
        "--cacert",
        &authority,
        "--cert",
        &certificate,
        "--key",
        &key,
    ]);
    options.extend(["--connect-to", &place]);
    options.extend(more);
    curl_with(&options, &format!("https://item:8080{path}"))
}

#[test]
#[ignore = "needs pods, which script/test and script/test-cluster start"]
fn only_order_may_take_from_the_stock() {
    let refused = r#"{"code":7,"message":"item: "#;
    for path in [
        "/v1/items:reserve",
        "/v1/items:release",
        "/v1/items%3Areserve",
    ] {
        let (status, text) = call_item("ingress", "POST", path, &[]);
        assert_eq!(status, 403, "{path}: {text}");
        assert!(text.contains(refused), "{path}: {text}");
    }
    let grpc = [
        "--header",
        "content-type: application/grpc",
        "--header",
        "te: trailers",
    ];
    let reserve = "/item.ItemService/ReserveItems";
    let (_, text) = call_item("ingress", "POST", reserve, &grpc);
    assert!(text.contains("\ngrpc-status: 7\r"), "{text}");
    let (_, text) = call_item("order", "POST", reserve, &grpc);
    assert!(!text.contains("\ngrpc-status: 7\r"), "{text}");
    assert_eq!(call_item("ingress", "GET", "/v1/items", &[]).0, 200);
    assert_eq!(call_item("order", "GET", "/v1/items", &[]).0, 403);
}
