//! A name of several addresses as `--fastcgi`.

use std::collections::HashMap;
use std::net::TcpListener;

use futures_util::future::join_all;
use tonic::Code;

use crate::support::{Client, Hosts, PhpFpm, Proxy, php};

const FLAGS: [&str; 4] = ["--max-exchanges", "2", "--status-path", "/status"];

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

async fn start(hosts: &Hosts, port: u16) -> (Proxy, Client) {
    let (fastcgi, script) = (format!("tcp://fpm:{port}"), php("fixtures/master.php"));
    let script = script.to_str().unwrap();
    let proxy = Proxy::start_by(hosts.program(), &fastcgi, script, &FLAGS).await;
    let client = Client::connect(proxy.address).await;
    (proxy, client)
}

async fn master(client: &Client, seconds: &str) -> u32 {
    let response = client.call(b"", &[("x-seconds", seconds)]).await;
    let master = std::str::from_utf8(response.content()).unwrap();
    master.parse().unwrap()
}

/// The masters that run these calls at the same time, and how many each.
async fn masters(client: &Client, calls: usize) -> HashMap<u32, usize> {
    let mut counts = HashMap::new();
    for master in join_all((0..calls).map(|_| master(client, "0.3"))).await {
        *counts.entry(master).or_insert(0) += 1;
    }
    counts
}

fn up(php_fpm: &PhpFpm) -> String {
    format!("fcgi_target_up{{target=\"{}\"}}", php_fpm.url())
}

fn page_up(php_fpm: &PhpFpm) -> String {
    let url = php_fpm.url();
    format!("phpfpm_up{{pool=\"test\",scrape_uri=\"{url}/status\"}}")
}

#[tokio::test]
async fn each_address_is_a_target_and_a_change_is_followed() {
    let port = free_port();
    let address = |last: u8| format!("127.0.0.{last}:{port}");
    let (first, mut second, third) = tokio::join!(
        async { PhpFpm::start_on(&address(1)).await },
        async { PhpFpm::start_on(&address(2)).await },
        async { PhpFpm::start_on(&address(3)).await }
    );
    let hosts = Hosts::new("fpm", &["127.0.0.1", "127.0.0.2"]);
    let (proxy, client) = start(&hosts, port).await;
    let both = HashMap::from([(first.id(), 2), (second.id(), 2)]);
    assert_eq!(masters(&client, 4).await, both);
    assert_eq!(proxy.metric(&page_up(&second)).await, 1.0);

    second.stop().await;
    let other = HashMap::from([(first.id(), 2)]);
    assert_eq!(masters(&client, 2).await, other);
    assert_eq!(proxy.metric(&up(&second)).await, 0.0);

    let running = client.clone();
    let running = tokio::spawn(async move { master(&running, "7").await });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    hosts.set("fpm", &["127.0.0.3"]);
    proxy.metric_becomes(&up(&third), 1.0).await;
    let (_, text) = proxy.get("/metrics").await;
    for php_fpm in [&first, &second] {
        assert!(!text.contains(&php_fpm.url()), "{text}");
    }
    assert_eq!(proxy.metric(&page_up(&third)).await, 1.0);
    for _ in 0..4 {
        assert_eq!(master(&client, "0").await, third.id());
    }
    // A call that runs at a removed address goes on.
    assert_eq!(running.await.unwrap(), first.id());
}

/// As a headless service of Kubernetes before the first pod is ready.
#[tokio::test]
async fn a_name_may_get_its_first_address_while_the_proxy_runs() {
    let php_fpm = PhpFpm::start_on_tcp().await;
    let url = php_fpm.url();
    let (_, port) = url.rsplit_once(':').unwrap();
    let hosts = Hosts::new("other", &["127.0.0.1"]);
    let (mut proxy, client) = start(&hosts, port.parse().unwrap()).await;
    assert_eq!(
        client.call(b"", &[]).await.status(),
        (Code::Unavailable, "the application is unreachable")
    );
    let logged = proxy
        .logged(|record| record["message"] == "cannot look up the application's addresses")
        .await;
    assert_eq!(logged["name"], format!("fpm:{port}"));
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 503"));
    hosts.set("fpm", &["127.0.0.1"]);
    proxy.metric_becomes(&up(&php_fpm), 1.0).await;
    assert_eq!(master(&client, "0").await, php_fpm.id());
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
}
