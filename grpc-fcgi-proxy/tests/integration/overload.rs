//! Far more calls than workers.

use std::collections::{HashMap, HashSet};

use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy, php};

const CALLS: usize = 2000;
/// HTTP/2 limits the calls of one connection.
const CONNECTIONS: usize = 4;
/// Of the whole proxy, in KiB.
const MEMORY_LIMIT: u64 = 96 * 1024;

#[tokio::test]
async fn each_of_2000_calls_is_answered_or_refused_in_time() {
    let php_fpm = PhpFpm::start_with("pm.max_children = 8\n").await;
    let script = php("fixtures/sleep.php");
    let proxy = Proxy::start(
        &php_fpm.url(),
        script.to_str().unwrap(),
        &["--max-wait", "3s"],
    )
    .await;
    let mut calls = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = Client::connect(proxy.address).await;
        calls.extend((0..CALLS / CONNECTIONS).map(|number| {
            let client = client.clone();
            // Some deadlines expire before --max-wait.
            let timeout = if number % 4 == 0 { "2S" } else { "20S" };
            tokio::spawn(async move {
                let metadata = [("x-seconds", "1"), ("grpc-timeout", timeout)];
                let response = client.call(b"x", &metadata).await;
                response.status().0
            })
        }));
    }
    let mut codes = HashMap::<Code, usize>::new();
    for call in calls {
        *codes.entry(call.await.unwrap()).or_default() += 1;
    }
    let expected = [Code::Ok, Code::DeadlineExceeded, Code::ResourceExhausted];
    let seen: HashSet<Code> = codes.keys().copied().collect();
    assert_eq!(seen, HashSet::from(expected), "{codes:?}");
    assert!(codes[&Code::Ok] >= 16, "{codes:?}");
    assert!(
        proxy.peak_memory() < MEMORY_LIMIT,
        "{} KiB",
        proxy.peak_memory()
    );
    for name in ["fcgi_calls_waiting", "fcgi_exchanges_running"] {
        proxy.metric_becomes(name, 0.0).await;
    }
    let client = Client::connect(proxy.address).await;
    assert_eq!(
        client.call(b"probe", &[("x-seconds", "0")]).await.content(),
        b"probe"
    );
}
