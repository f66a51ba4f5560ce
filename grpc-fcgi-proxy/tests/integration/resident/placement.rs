//! Which calls run in resident workers, and of which php-fpm.

use tonic::Code;

use super::{POOL, boots, call, proxy, proxy_for, text, value};
use crate::support::{Client, PhpFpm, php};

/// The process id of the php-fpm that runs a call of this method.
async fn master(client: &Client, method: &str) -> u32 {
    let mut stream = client.stream(method, &[]);
    stream.send(&value("parent"));
    stream.half_close();
    let master = text(&stream.next().await.unwrap()).parse().unwrap();
    assert_eq!(stream.status().await.0, Code::Ok);
    master
}

#[tokio::test]
async fn workers_may_have_a_php_fpm_of_their_own() {
    let (calls, own) = tokio::join!(PhpFpm::start(), PhpFpm::start_with(POOL));
    let flags = [
        "--resident-fastcgi",
        &own.url(),
        "--resident-exclude",
        "test.Service/BidiStream",
    ];
    let (proxy, client) = proxy(&calls, &flags).await;
    assert_eq!(master(&client, "Method").await, own.id());
    assert_eq!(master(&client, "BidiStream").await, calls.id());
    let exchanges = r#"fcgi_exchanges_total{outcome="complete"}"#;
    proxy.metric_becomes(exchanges, 1.0).await;
    proxy
        .metric_becomes(r#"resident_calls_total{outcome="complete"}"#, 1.0)
        .await;
}

#[tokio::test]
async fn each_script_has_workers_of_its_own() {
    let pool = POOL.replace("pm.max_children = 4", "pm.max_children = 6");
    let php_fpm = PhpFpm::start_with(&pool).await;
    let (default, routed) = (php("item/index.php"), php("fixtures/resident.php"));
    let flags = [
        "--resident-workers",
        "2",
        "--route",
        &format!("test.Service={}", routed.display()),
    ];
    let (proxy, client) = proxy_for(&php_fpm, &default, &flags).await;
    assert_eq!(call(&client, "routed").await, "routed");
    let items = client
        .call_method("/item.ItemService/ListItems", b"", &[])
        .await;
    assert!(!items.content().is_empty());
    for script in [&default, &routed] {
        let boots = boots(&php_fpm, script, "ready");
        proxy.metric_becomes(&boots, 2.0).await;
    }
    assert!(proxy.metric("fcgi_exchanges_running").await.abs() < 0.1);
}
