//! The `phpfpm_` metrics, scraped from the status page of a real php-fpm.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Client, PhpFpm, Proxy, php};

async fn proxy(php_fpm: &PhpFpm, fixture: &str, flags: &[&str]) -> Proxy {
    let script = php("fixtures").join(fixture);
    let flags = [&["--status-path", "/status"], flags].concat();
    Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await
}

/// A metric of the pool `test`.
fn named(name: &str, target: &str) -> String {
    format!(r#"phpfpm_{name}{{pool="test",scrape_uri="{target};/status"}}"#)
}

/// Keeps both workers busy for longer than a test lasts.
async fn keep_busy(proxy: &Proxy) {
    let client = Client::connect(proxy.address).await;
    for _ in 0..2 {
        let client = client.clone();
        tokio::spawn(async move { client.call(b"", &[("x-seconds", "60")]).await });
    }
    proxy.metric_becomes("fcgi_exchanges_running", 2.0).await;
}

#[tokio::test]
async fn names_and_types_match_the_exporter() {
    let php_fpm = PhpFpm::start().await;
    let proxy = proxy(&php_fpm, "echo.php", &[]).await;
    let (_, text) = proxy.get("/metrics").await;
    let table = [
        ("up", "gauge"),
        ("scrape_failures", "counter"),
        ("start_since", "counter"),
        ("accepted_connections", "counter"),
        ("listen_queue", "gauge"),
        ("max_listen_queue", "counter"),
        ("listen_queue_length", "gauge"),
        ("idle_processes", "gauge"),
        ("active_processes", "gauge"),
        ("total_processes", "gauge"),
        ("max_active_processes", "counter"),
        ("max_children_reached", "counter"),
        ("slow_requests", "counter"),
    ];
    for (name, kind) in table {
        let kind = format!("# TYPE phpfpm_{name} {kind}\n");
        assert!(text.contains(&kind), "{kind} is not in {text}");
        let metric = named(name, &php_fpm.url());
        assert!(text.contains(&metric), "{metric} is not in {text}");
    }
    assert_eq!(proxy.metric(&named("up", &php_fpm.url())).await, 1.0);
    let total = named("total_processes", &php_fpm.url());
    proxy.metric_becomes(&total, 2.0).await;
    let accepted = named("accepted_connections", &php_fpm.url());
    let before = proxy.metric(&accepted).await;
    let client = Client::connect(proxy.address).await;
    client.call(b"", &[]).await;
    // Each scrape is a request too, and each health check a connection.
    assert!(proxy.metric(&accepted).await >= before + 2.0);
}

#[tokio::test]
async fn a_page_on_tcp_is_named_by_its_url() {
    let php_fpm = PhpFpm::start_on_tcp().await;
    let proxy = proxy(&php_fpm, "echo.php", &[]).await;
    let up = format!(
        r#"phpfpm_up{{pool="test",scrape_uri="{}/status"}}"#,
        php_fpm.url()
    );
    assert_eq!(proxy.metric(&up).await, 1.0);
}

#[tokio::test]
async fn a_page_with_its_own_listener_shows_that_all_workers_are_busy() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("status.sock").display().to_string();
    let pool = format!("pm.max_children = 2\npm.status_listen = {socket}\n");
    let php_fpm = PhpFpm::start_with(&pool).await;
    let page = format!("unix://{socket}");
    let proxy = proxy(&php_fpm, "sleep.php", &["--status-fastcgi", &page]).await;
    keep_busy(&proxy).await;
    proxy
        .metric_becomes(&named("active_processes", &page), 2.0)
        .await;
    assert_eq!(proxy.metric(&named("idle_processes", &page)).await, 0.0);
    assert_eq!(proxy.metric(&named("up", &page)).await, 1.0);
}

#[tokio::test]
async fn a_page_without_a_free_worker_is_down_and_delays_no_scrape() {
    let php_fpm = PhpFpm::start().await;
    let proxy = proxy(&php_fpm, "sleep.php", &[]).await;
    let up = named("up", &php_fpm.url());
    assert_eq!(proxy.metric(&up).await, 1.0);
    keep_busy(&proxy).await;
    let start = Instant::now();
    let (head, text) = proxy.get("/metrics").await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(text.contains("fcgi_exchanges_running 2"), "{text}");
    assert!(text.contains(&format!("{up} 0")), "{text}");
    assert!(
        proxy
            .metric(&named("scrape_failures", &php_fpm.url()))
            .await
            > 0.0
    );
}

#[tokio::test]
async fn a_stopped_php_fpm_is_down_until_it_runs_again() {
    let mut php_fpm = PhpFpm::start().await;
    let mut proxy = proxy(&php_fpm, "echo.php", &[]).await;
    let page = php_fpm.url();
    assert_eq!(proxy.metric(&named("scrape_failures", &page)).await, 0.0);
    php_fpm.stop().await;
    let (head, text) = proxy.get("/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        text.contains(&format!("{} 0", named("up", &page))),
        "{text}"
    );
    assert!(!text.contains("phpfpm_total_processes"), "{text}");
    let record = proxy
        .logged(|record| record["message"] == "php-fpm's status page does not answer")
        .await;
    assert_eq!(record["page"], format!("{page};/status"));
    php_fpm.start_again().await;
    assert_eq!(proxy.metric(&named("up", &page)).await, 1.0);
    assert_eq!(proxy.metric(&named("scrape_failures", &page)).await, 1.0);
}

#[tokio::test]
async fn each_page_is_scraped_and_a_missing_one_is_down() {
    let (first, second) = tokio::join!(PhpFpm::start(), PhpFpm::start());
    let pages = format!("{},{}", first.url(), second.url());
    let flags = ["--status-fastcgi", &pages];
    let proxy = proxy(&first, "echo.php", &flags).await;
    for page in [&first, &second] {
        assert_eq!(proxy.metric(&named("up", &page.url())).await, 1.0);
    }
    let script = php("fixtures/echo.php");
    let flags = ["--status-path", "/other"];
    let proxy = Proxy::start(&first.url(), script.to_str().unwrap(), &flags).await;
    let up = format!(
        r#"phpfpm_up{{pool="",scrape_uri="{};/other"}}"#,
        first.url()
    );
    let (_, text) = proxy.get("/metrics").await;
    assert!(text.contains(&format!("{up} 0")), "{text}");
}

#[tokio::test]
async fn without_a_status_path_nothing_is_scraped() {
    let php_fpm = PhpFpm::start().await;
    let script = php("fixtures/echo.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &[]).await;
    let (_, text) = proxy.get("/metrics").await;
    assert!(!text.contains("phpfpm_"), "{text}");
}
