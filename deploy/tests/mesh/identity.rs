//! Mutual TLS: the permitted callers.

use std::fs;
use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::callers;
use crate::pods::{address, state};

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
