//! The report page by page.

use std::{net::SocketAddr, sync::atomic::Ordering};

use axum::body::Body;
use chassis::{
    paging::PageRequest,
    testing::{Running, get, http},
};
use frontend::FrontendError;
use http::Request;
use serde_json::{Value, json};
use tonic::Status;

use crate::{shop::Shop, support::start};

/// What a page may cost: the users, the first orders of each, and the further orders of a user.
const MAX_CALLS: usize = 1 + 100 + 10;

struct Fixture {
    frontend: Running<Result<(), FrontendError>>,
    peers: Running,
}

impl Fixture {
    async fn new(shop: &Shop) -> Self {
        let peers = shop.serve().await;
        let endpoint = peers.address.to_string();
        let frontend = start(&endpoint, &["--timeout", "60s"]).await;
        Self { frontend, peers }
    }

    async fn stop(self) {
        self.frontend.stop().await.unwrap();
        self.peers.stop().await;
    }
}

async fn page(address: SocketAddr, size: usize, token: &str) -> Value {
    let path = format!("/index?page_size={size}&page_token={token}");
    let response = get(address, &path).await;
    assert_eq!(response.status(), 200, "{}", response.body());
    serde_json::from_str(response.body()).unwrap()
}

fn token(page: &Value) -> String {
    page["next_page_token"].as_str().unwrap().to_owned()
}

/// The users and orders of a page. A user whose orders began on an earlier page is not repeated.
fn rows(page: &Value, before: &mut String) -> Vec<String> {
    let mut rows = Vec::new();
    for entry in page["entries"].as_array().unwrap() {
        let user = entry["user"]["id"].as_str().unwrap();
        if before != user {
            user.clone_into(before);
            rows.push(user.to_owned());
        }
        for order in entry["orders"].as_array().unwrap() {
            assert_eq!(order["user"], user);
            rows.push(order["id"].as_str().unwrap().to_owned());
        }
    }
    rows
}

/// Reads all pages, and does something after each.
async fn read(shop: &Shop, size: usize, mut after_page: impl FnMut(&Value)) -> Vec<String> {
    let fixture = Fixture::new(shop).await;
    let (mut all, mut last, mut next) = (Vec::new(), String::new(), String::new());
    loop {
        let page = page(fixture.frontend.address, size, &next).await;
        let calls = shop.take_calls();
        assert!(calls <= MAX_CALLS, "{calls} calls for a page of {size}");
        let orders = page["entries"].as_array().unwrap().iter();
        let orders = orders.map(|entry| entry["orders"].as_array().unwrap().len().max(1));
        assert!(orders.sum::<usize>() <= size, "{page}");
        all.extend(rows(&page, &mut last));
        after_page(&page);
        next = token(&page);
        if next.is_empty() {
            fixture.stop().await;
            return all;
        }
    }
}

#[tokio::test]
async fn the_pages_together_are_the_report() {
    for orders in [
        vec![3, 0, 5, 1],
        vec![0; 110],
        vec![110],
        vec![1; 110],
        vec![0, 40, 1, 1, 1, 1, 40, 0],
        vec![0],
    ] {
        for size in [1, 2, 7, 50, 1000] {
            let shop = Shop::new(orders.clone());
            let read = read(&shop, size, |_| ()).await;
            assert_eq!(read, shop.rows(), "{orders:?} in pages of {size}");
        }
    }
}

#[tokio::test]
async fn a_page_is_indented_json_with_the_token_of_the_next_one() {
    let fixture = Fixture::new(&Shop::new([1, 0])).await;
    let response = get(fixture.frontend.address, "/?page_size=1").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let page: Value = serde_json::from_str(response.body()).unwrap();
    assert!(!token(&page).is_empty());
    let same = serde_json::to_string_pretty(&page).unwrap();
    // Only the order of the fields differs.
    assert_eq!(response.body().len(), same.len() + 1);
    let whole = get(fixture.frontend.address, "/").await;
    let whole: Value = serde_json::from_str(whole.body()).unwrap();
    assert_eq!(page["entries"][0], whole[0]);
    fixture.stop().await;
}

#[tokio::test]
async fn without_users_the_only_page_is_empty() {
    let fixture = Fixture::new(&Shop::new([])).await;
    let page = page(fixture.frontend.address, 0, "").await;
    assert_eq!(page, json!({ "entries": [], "next_page_token": "" }));
    fixture.stop().await;
}

#[tokio::test]
async fn a_user_of_100_000_orders_is_refused_whole_and_split_over_pages() {
    let shop = Shop::new([1, 100_000, 1]);
    let fixture = Fixture::new(&shop).await;
    let response = get(fixture.frontend.address, "/index").await;
    assert_eq!(response.status(), 400);
    let error: Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(error["error"]["code"], "FAILED_PRECONDITION");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("page_size"), "{message}");
    // It was refused early: each call returns 25 orders, or 64.
    let calls = shop.take_calls();
    assert!(calls < 300, "{calls}");
    let (mut rows_read, mut last, mut next) = (Vec::new(), String::new(), String::new());
    for _ in 0..20 {
        let page = page(fixture.frontend.address, 1000, &next).await;
        let calls = shop.take_calls();
        assert!(calls <= MAX_CALLS, "{calls}");
        rows_read.extend(rows(&page, &mut last));
        next = token(&page);
    }
    assert!(rows_read.len() > 2000, "{}", rows_read.len());
    assert_eq!(rows_read, shop.rows()[..rows_read.len()]);
    fixture.stop().await;
}

#[tokio::test]
async fn what_exists_throughout_is_on_one_page_whatever_comes_and_goes() {
    let shop = Shop::new([3, 9, 0, 9, 4]);
    let mut turn = 0;
    let remaining = shop.clone();
    let read = read(&shop, 2, |page| {
        let mut orders = shop.orders.lock().unwrap();
        // The user whose orders this page has last, an order after it, and a user and an order before it.
        let Some(last) = page["entries"].as_array().unwrap().last() else {
            return;
        };
        let user = last["user"]["id"].as_str().unwrap();
        turn += 1;
        match turn {
            2 => drop(orders.insert("u0000a".to_owned(), ["u0000a-1".to_owned()].into())),
            3 => assert!(orders.get_mut(user).unwrap().insert(format!("{user}-"))),
            4 => assert!(orders.get_mut(user).unwrap().pop_last().is_some()),
            // Not reported to its end.
            5 => assert!(orders.remove(user).unwrap().len() > 1),
            _ => {}
        }
    })
    .await;
    assert!(turn > 6);
    let mut once = read.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), read.len(), "{read:?}");
    let missing = |row: &String| !read.contains(row) && !row.ends_with('-') && !row.contains('a');
    let rows = remaining.rows();
    assert_eq!(rows.iter().find(|row| missing(row)), None, "{read:?}");
}

#[tokio::test]
async fn a_page_ends_before_its_text_is_too_long() {
    // Of an order with 4,000 bytes, 128 KiB hold about 30.
    let shop = Shop {
        description: "d".repeat(4000),
        ..Shop::new([20, 100, 3])
    };
    let mut longest = 0;
    let read = read(&shop, 1000, |page| {
        longest = longest.max(page.to_string().len())
    })
    .await;
    assert_eq!(read, shop.rows());
    assert!(longest < 4 << 20, "{longest}");
}

#[tokio::test]
async fn no_order_is_too_long_for_a_page() {
    // Each is 15 MB.
    let shop = Shop {
        description: "\u{1}".repeat(4096),
        pieces: 600,
        ..Shop::new([2, 0, 1])
    };
    let mut pages = Vec::new();
    let read = read(&shop, 1000, |page| {
        let entries = page["entries"].as_array().unwrap().iter();
        let orders = entries.map(|entry| entry["orders"].as_array().unwrap().len());
        pages.push(orders.collect::<Vec<_>>());
    })
    .await;
    assert_eq!(read, shop.rows());
    assert_eq!(pages, [&[1][..], &[1, 0], &[1]]);
}

#[tokio::test]
async fn orders_of_several_users_are_fetched_at_once_but_not_of_many() {
    let shop = Shop::new([1; 100]);
    let fixture = Fixture::new(&shop).await;
    page(fixture.frontend.address, 100, "").await;
    let most = shop.most_at_once.load(Ordering::Relaxed);
    assert!((2..=4).contains(&most), "{most}");
    fixture.stop().await;
}

#[tokio::test]
async fn head_has_the_length_of_the_page_and_no_body() {
    let fixture = Fixture::new(&Shop::new([3])).await;
    let path = "/index?page_size=2";
    let whole = get(fixture.frontend.address, path).await;
    let request = Request::head(path).body(Body::empty()).unwrap();
    let response = http(fixture.frontend.address, request).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, ""));
    let length = whole.body().len().to_string();
    assert_eq!(response.headers()["content-length"], length);
    fixture.stop().await;
}

#[tokio::test]
async fn a_page_has_50_orders_unless_the_client_chooses_and_1000_at_most() {
    let fixture = Fixture::new(&Shop::new([1100])).await;
    for (query, expected) in [
        ("page_size=0", 50),
        ("page_token=", 50),
        ("page_size=51", 51),
    ] {
        let response = get(fixture.frontend.address, &format!("/?{query}")).await;
        let page: Value = serde_json::from_str(response.body()).unwrap();
        let orders = page["entries"][0]["orders"].as_array().unwrap();
        assert_eq!(orders.len(), expected, "{query}");
    }
    assert!(!token(&page(fixture.frontend.address, 100_000, "").await).is_empty());
    fixture.stop().await;
}

#[tokio::test]
async fn an_invalid_parameter_is_400_and_says_what_is_valid() {
    let shop = Shop::new([9]);
    let fixture = Fixture::new(&shop).await;
    let list = |list: &str| PageRequest::new(list.to_owned(), 0, "").unwrap();
    let forged = |json: Value| list("report").token(&json.to_string());
    let foreign = list("users").token("u0000");
    let rubbish = list("report").token("u0000");
    let of_users = forged(json!({ "users": "x", "user": "", "orders": "" }));
    let of_orders =
        forged(json!({ "users": "", "user": "u0000", "orders": "orders of x after y" }));
    let long = "A".repeat(4000);
    for (query, expected) in [
        ("page_size=-1", "page_size must not be negative"),
        ("page_size=", "page_size, a number"),
        ("page_size=ten", "page_size, a number"),
        ("page_size=99999999999", "page_size, a number"),
        ("page_size=1&page_size=2", "page_size, a number"),
        ("pagesize=1", "page_size, a number"),
        ("page_size=1&x=%00%0a", "page_size, a number"),
        ("page_token=x", "page_token must be"),
        ("page_token=%F0%9F%92%A5", "page_token must be"),
        (&format!("page_token={foreign}"), "page_token must be"),
        (&format!("page_token={rubbish}"), "page_token must be"),
        (&format!("page_token={of_users}"), "page_token must be"),
        (&format!("page_token={of_orders}"), "page_token must be"),
        (&format!("page_token={long}"), "page_token must be"),
    ] {
        let response = get(fixture.frontend.address, &format!("/index?{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
        let error: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(error["error"]["code"], "INVALID_ARGUMENT", "{query}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{query}: {message}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_failing_peer_is_named_in_place_of_a_partial_page() {
    for (status, expected) in [
        (Status::unavailable("gone"), 503),
        (Status::deadline_exceeded("late"), 504),
        // The client has sent no token, so this is not its fault.
        (Status::invalid_argument("what?"), 503),
    ] {
        let shop = Shop {
            list_orders: Some(status),
            ..Shop::new([1])
        };
        let fixture = Fixture::new(&shop).await;
        let response = get(fixture.frontend.address, "/?page_size=2").await;
        assert_eq!(response.status(), expected);
        let error: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(error["error"]["peer"], "order");
        fixture.stop().await;
    }
}
