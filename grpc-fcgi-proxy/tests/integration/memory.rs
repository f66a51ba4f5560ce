//! The proxy's memory is bounded, whatever passes through.

use std::time::Duration;

use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy, message, php, serve, serve_streams};

/// Of the whole proxy, in KiB.
const MEMORY_LIMIT: u64 = 64 * 1024;
const MESSAGE: usize = 64 * 1024;
const GIB: usize = 1 << 30;
/// The time in which PHP reads 1 GiB, even on a slow disk.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_server_stream_of_1_gib_needs_little_memory() {
    let (_php_fpm, proxy, client) = serve_streams("stream_count.php", &[]).await;
    let count = (GIB / MESSAGE).to_string();
    let mut call = client.stream(
        "ServerStream",
        &[("x-count", &count), ("x-size", &MESSAGE.to_string())],
    );
    call.send(b"");
    call.half_close();
    let mut bytes = 0;
    while let Some(message) = call.next().await {
        bytes += message.len();
    }
    assert_eq!((bytes, call.status().await.0), (GIB, Code::Ok));
    assert!(
        proxy.peak_memory() < MEMORY_LIMIT,
        "{} KiB",
        proxy.peak_memory()
    );
}

/// PHP also writes its input to a file.
#[tokio::test]
async fn a_client_stream_of_1_gib_needs_little_memory() {
    let (_php_fpm, proxy, client) = serve_streams("stream_sum.php", &[]).await;
    let mut call = client.stream("ClientStream", &[]);
    call.send_repeated(&message(&[b'x'; MESSAGE]).into(), GIB / MESSAGE);
    call.half_close();
    let sum = format!("{} {GIB}", GIB / MESSAGE);
    assert_eq!(call.next_within(LONG).await.unwrap(), sum.as_bytes());
    assert_eq!(call.status().await.0, Code::Ok);
    assert!(
        proxy.peak_memory() < MEMORY_LIMIT,
        "{} KiB",
        proxy.peak_memory()
    );
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_php() {
    let (_php_fpm, proxy, client) = serve_streams("stream_count.php", &[]).await;
    let count = (GIB / MESSAGE).to_string();
    let mut call = client.stream(
        "ServerStream",
        &[("x-count", &count), ("x-size", &MESSAGE.to_string())],
    );
    call.send(b"");
    assert!(call.next().await.is_some());
    // Enough for PHP to finish, if nothing held it back.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(proxy.metric("fcgi_exchanges_running").await, 1.0);
    assert!(
        proxy.peak_memory() < MEMORY_LIMIT,
        "{} KiB",
        proxy.peak_memory()
    );
}

#[tokio::test]
async fn open_calls_of_builtin_services_need_little_memory() {
    let (_php_fpm, proxy, _client) = serve("echo.php", &[]).await;
    for _ in 0..3 {
        let clients = [
            Client::connect(proxy.address).await,
            Client::connect(proxy.address).await,
        ];
        let mut watches = Vec::new();
        for number in 0..1600 {
            let client = &clients[number % clients.len()];
            let mut watch = client.stream_at("/grpc.health.v1.Health/Watch", &[]);
            watch.send(b"");
            watch.half_close();
            watches.push(watch);
        }
        for watch in &mut watches {
            assert!(watch.next().await.is_some());
        }
        drop(watches);
        proxy.metric_becomes("grpc_server_builtin_calls", 0.0).await;
    }
    assert!(
        proxy.peak_memory() < MEMORY_LIMIT,
        "{} KiB",
        proxy.peak_memory()
    );
}

#[tokio::test]
async fn a_unary_message_of_64_mib_passes_if_the_limits_allow_it() {
    let flags = [
        "--max-receive-message-size",
        "70000000",
        "--max-send-message-size",
        "70000000",
    ];
    // By default, PHP ends the script with a fatal error after it has passed on the whole message.
    let pool = "pm.max_children = 2\nphp_admin_value[memory_limit] = 512M\n";
    let php_fpm = PhpFpm::start_with(pool).await;
    let script = php("fixtures/echo.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = Client::connect(proxy.address).await;
    let content = vec![b'x'; 64 * 1024 * 1024];
    let response = client.call(&content, &[]).await;
    assert!(response.content() == content);
}
