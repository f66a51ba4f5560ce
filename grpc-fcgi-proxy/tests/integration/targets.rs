//! Several targets.

use std::collections::HashMap;

use futures_util::future::join_all;

use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy, php};

async fn serve(flags: &[&str]) -> ([PhpFpm; 2], Proxy, Client) {
    let php_fpms = [PhpFpm::start().await, PhpFpm::start_on_tcp().await];
    let targets = php_fpms.each_ref().map(PhpFpm::url).join(",");
    let script = php("fixtures/master.php");
    let flags = [&["--max-exchanges", "2"], flags].concat();
    let proxy = Proxy::start(&targets, script.to_str().unwrap(), &flags).await;
    let client = Client::connect(proxy.address).await;
    (php_fpms, proxy, client)
}

async fn master(client: &Client, seconds: &str) -> u32 {
    let response = client.call(b"", &[("x-seconds", seconds)]).await;
    std::str::from_utf8(response.content())
        .unwrap()
        .parse()
        .unwrap()
}

fn up(php_fpm: &PhpFpm) -> String {
    format!("fcgi_target_up{{target=\"{}\"}}", php_fpm.url())
}

#[tokio::test]
async fn calls_go_to_the_target_with_the_fewest() {
    let (php_fpms, _proxy, client) = serve(&[]).await;
    let masters = join_all((0..4).map(|_| master(&client, "0.3"))).await;
    let mut calls = HashMap::new();
    for master in masters {
        *calls.entry(master).or_insert(0) += 1;
    }
    let expected = php_fpms.each_ref().map(|php_fpm| (php_fpm.id(), 2));
    assert_eq!(calls, HashMap::from(expected));
}

#[tokio::test]
async fn a_target_that_is_down_is_out_of_rotation_until_it_is_back() {
    let ([mut first, second], proxy, client) = serve(&[]).await;
    first.stop().await;
    for _ in 0..10 {
        assert_eq!(master(&client, "0").await, second.id());
    }
    assert_eq!(proxy.metric(&up(&first)).await, 0.0);
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 200"));
    first.start_again().await;
    proxy.metric_becomes(&up(&first), 1.0).await;
    let masters = join_all((0..2).map(|_| master(&client, "0.2"))).await;
    assert!(masters.contains(&first.id()), "{masters:?}");
}

/// A connection in the backlog of a php-fpm that stops may have reached a script, so its call is not retried.
#[tokio::test]
async fn a_restart_under_load_loses_only_calls_in_flight() {
    let ([mut first, _second], proxy, client) = serve(&[]).await;
    let calls = async {
        for _ in 0..40 {
            for response in join_all((0..8).map(|_| client.call(b"", &[]))).await {
                let status = response.status();
                let lost = (
                    Code::Unavailable,
                    "the application closed the connection without an answer",
                );
                assert!(status == (Code::Ok, "") || status == lost, "{status:?}");
            }
        }
    };
    let restarts = async {
        for _ in 0..3 {
            first.quit().await;
            first.start_again().await;
        }
    };
    tokio::join!(calls, restarts);
    proxy.metric_becomes(&up(&first), 1.0).await;
    for _ in 0..10 {
        master(&client, "0").await;
    }
}

#[tokio::test]
async fn without_a_reachable_target_calls_fail_and_the_proxy_is_unhealthy() {
    let ([mut first, mut second], mut proxy, client) = serve(&[]).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(
        client.call(b"", &[]).await.status(),
        (Code::Unavailable, "the application is unreachable")
    );
    let removed = "the application is unreachable, and out of rotation";
    for _ in ["first", "second"] {
        let logged = proxy.logged(|record| record["message"] == removed).await;
        let target = logged["fastcgi"].as_str().unwrap();
        assert!([first.url(), second.url()].contains(&target.to_owned()));
        assert_eq!(logged["target"], "grpc_fcgi_proxy::fastcgi::pool");
    }
    assert!(proxy.get("/healthz").await.0.starts_with("HTTP/1.1 503"));
    second.start_again().await;
    assert_eq!(master(&client, "0").await, second.id());
}
