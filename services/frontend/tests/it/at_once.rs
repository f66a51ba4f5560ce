//! Many reports at once.

use std::{net::SocketAddr, sync::atomic::Ordering};

use chassis::testing::get;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{shop::Shop, support::start};

/// Requests a report, and reads only its first byte.
async fn slow_reader(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'H');
    client
}

#[tokio::test]
async fn slow_readers_of_large_reports_take_the_places_of_large_reports_only() {
    // Close to 4 MiB.
    let shop = Shop {
        description: "d".repeat(3800),
        ..Shop::new([1000])
    };
    let peers = shop.serve().await;
    let endpoint = peers.address.to_string();
    let frontend = start(&endpoint, &["--timeout", "5s"]).await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(slow_reader(frontend.address, "/index").await);
    }
    let refused = get(frontend.address, "/index").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    let error: Value = serde_json::from_str(refused.body()).unwrap();
    assert_eq!(error["error"]["code"], "UNAVAILABLE");
    let page = get(frontend.address, "/index?page_size=2").await;
    assert_eq!(page.status(), 200);
    drop(readers);
    assert_eq!(get(frontend.address, "/index").await.status(), 200);
    frontend.stop().await.unwrap();
    peers.stop().await;
}

#[tokio::test]
async fn a_page_of_short_orders_with_a_long_text_takes_a_place_of_large_reports() {
    // Each is 5 KB, and 110 KB of JSON.
    let shop = Shop {
        description: String::new(),
        pieces: 1000,
        ..Shop::new([35])
    };
    let peers = shop.serve().await;
    let endpoint = peers.address.to_string();
    let frontend = start(&endpoint, &["--timeout", "3s"]).await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(slow_reader(frontend.address, "/index").await);
    }
    for (size, status) in [(1, 200), (2, 503)] {
        let path = format!("/index?page_size={size}");
        assert_eq!(get(frontend.address, &path).await.status(), status);
    }
    drop(readers);
    frontend.stop().await.unwrap();
    peers.stop().await;
}

#[tokio::test]
async fn a_page_longer_than_large_ones_takes_all_places_of_large_reports() {
    let shop = Shop {
        description: "\u{1}".repeat(4096),
        pieces: 300,
        ..Shop::new([1])
    };
    let peers = shop.serve().await;
    let endpoint = peers.address.to_string();
    let frontend = start(&endpoint, &["--timeout", "3s"]).await;
    let path = "/index?page_size=1";
    let reader = slow_reader(frontend.address, path).await;
    assert_eq!(get(frontend.address, path).await.status(), 503);
    drop(reader);
    assert_eq!(get(frontend.address, path).await.status(), 200);
    frontend.stop().await.unwrap();
    peers.stop().await;
}

#[tokio::test]
async fn many_reports_wait_for_each_other() {
    let shop = Shop::new([40; 10]);
    let peers = shop.serve().await;
    let frontend = start(&peers.address.to_string(), &["--timeout", "60s"]).await;
    let requests = (0..100).map(|_| get(frontend.address, "/index"));
    for response in join_all(requests).await {
        assert_eq!(response.status(), 200);
    }
    let most = shop.most_at_once.load(Ordering::Relaxed);
    assert!((2..=8 + 3).contains(&most), "{most}");
    frontend.stop().await.unwrap();
    peers.stop().await;
}
