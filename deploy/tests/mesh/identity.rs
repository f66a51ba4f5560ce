//! Mutual TLS: who may call whom.

use std::fs;
use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::pods::{address, state};

/// Calls `/healthz` of an app's Envoy with the certificate of another app, or none, as gRPC: an answer at all means
/// that the caller was let in.
fn is_let_in(caller: Option<&str>, callee: &str) -> bool {
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
        // With TLS 1.3 a client learns only from its first exchange that its certificate was refused.
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
#[ignore = "needs the pods of script/run, which script/test starts"]
fn only_the_named_caller_is_let_in() {
    let apps = ["ingress", "frontend", "user", "order", "item"];
    let permitted = [
        ("ingress", "frontend"),
        ("frontend", "user"),
        ("frontend", "order"),
        ("order", "item"),
    ];
    for callee in &apps[1..] {
        for caller in apps {
            let expected = permitted.contains(&(caller, callee));
            assert_eq!(
                is_let_in(Some(caller), callee),
                expected,
                "{caller} calls {callee}"
            );
        }
        assert!(!is_let_in(None, callee), "nobody calls {callee}");
    }
}
