//! Orders with their items, a page at a time.

use std::{sync::atomic::Ordering, time::Duration};

use chassis::testing::{only_trace_headers, trace_headers};
use grpc_wire::timeout;
use order::service::MAX_ITEMS;
use proto::order::{
    DeleteOrderRequest, GetOrderDetailRequest, ListOrderDetailsRequest, ListOrderDetailsResponse,
};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap};

use crate::support::{Stand, fields, item};

fn page(user: &str, size: i32, token: &str) -> ListOrderDetailsRequest {
    ListOrderDetailsRequest {
        user: user.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
    }
}

async fn list(
    stand: &mut Stand,
    request: ListOrderDetailsRequest,
) -> Result<ListOrderDetailsResponse, Status> {
    let answer = stand.client.list_order_details(request).await;
    answer.map(Response::into_inner)
}

/// Makes an order of someone, and gives it any items.
async fn order_of(stand: &mut Stand, items: &[&str]) -> String {
    let id = stand.create("someone", &[]).await.unwrap().id;
    stand.set_items(&id, items).await;
    id
}

/// All pages, each as the ids of its orders.
async fn pages(stand: &mut Stand, user: &str, size: i32) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let answer = list(stand, page(user, size, &token)).await.unwrap();
        pages.push(answer.details.into_iter().map(|order| order.id).collect());
        token = answer.next_page_token;
        if token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_page_has_each_order_as_it_is_by_itself() {
    for mut stand in Stand::each().await {
        for items in [&["c", "gone", "a", "c", "gone"][..], &["a"], &[]] {
            order_of(&mut stand, items).await;
        }
        let answer = list(&mut stand, page("", 0, "")).await.unwrap();
        assert_eq!(answer.next_page_token, "");
        assert_eq!(answer.details.len(), 3);
        assert!(answer.details.is_sorted_by(|a, b| a.id < b.id));
        for listed in answer.details {
            let id = listed.id.clone();
            let request = GetOrderDetailRequest { id };
            let alone = stand.client.get_order_detail(request).await.unwrap();
            assert_eq!(listed, alone.into_inner());
        }
        stand.stop().await;
    }
}

#[tokio::test]
async fn items_are_told_from_those_that_are_gone() {
    let mut stand = Stand::sqlite().await;
    order_of(&mut stand, &["c", "gone", "a", "c", "gone"]).await;
    let answer = list(&mut stand, page("", 0, "")).await.unwrap();
    assert_eq!(answer.details[0].user, "someone");
    assert_eq!(answer.details[0].items, ["c", "a", "c"].map(item));
    assert_eq!(answer.details[0].missing_items, ["gone", "gone"]);
    stand.stop().await;
}

#[tokio::test]
async fn one_call_asks_for_each_item_of_a_page_once() {
    let mut stand = Stand::sqlite().await;
    for items in [["a", "b"], ["b", "gone"], ["gone", "a"]] {
        order_of(&mut stand, &items).await;
    }
    list(&mut stand, page("", 0, "")).await.unwrap();
    assert_eq!(stand.items.asked.take(), ["a", "b", "gone"]);
    assert_eq!(stand.items.calls.take().len(), 1);
    stand.stop().await;
}

#[tokio::test]
async fn a_page_without_items_asks_nobody() {
    let mut stand = Stand::sqlite().await;
    assert_eq!(pages(&mut stand, "", 0).await, [[""; 0]]);
    let id = order_of(&mut stand, &[]).await;
    assert_eq!(pages(&mut stand, "", 0).await, [[id]]);
    assert!(stand.items.calls.take().is_empty());
    stand.stop().await;
}

#[tokio::test]
async fn pages_of_details_have_every_order_once_for_one_user_or_for_all() {
    for mut stand in Stand::each().await {
        for number in 0..5 {
            let user = ["even", "odd"][number % 2];
            stand.create(user, &["a"]).await.unwrap();
        }
        for (user, expected) in [("", vec![2, 2, 1]), ("even", vec![2, 1]), ("odd", vec![2])] {
            let pages = pages(&mut stand, user, 2).await;
            let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
            assert_eq!(sizes, expected);
            assert!(pages.concat().is_sorted_by(|a, b| a < b));
        }
        stand.stop().await;
    }
}

#[tokio::test]
async fn only_the_items_of_the_orders_in_the_page_are_asked_for() {
    let mut stand = Stand::sqlite().await;
    let (mut ids, items) = (Vec::new(), ["a", "b"]);
    for item in items {
        ids.push((order_of(&mut stand, &[item]).await, item));
    }
    ids.sort_unstable();
    list(&mut stand, page("", 1, "")).await.unwrap();
    assert_eq!(stand.items.asked.take(), [ids[0].1]);
    stand.stop().await;
}

#[tokio::test]
async fn a_page_ends_where_one_lookup_would_not_do() {
    for mut stand in Stand::each().await {
        for order in 0..3 {
            let items: Vec<_> = (0..MAX_ITEMS / 2)
                .map(|number| format!("{order}-{number}"))
                .collect();
            let items: Vec<_> = items.iter().map(String::as_str).collect();
            order_of(&mut stand, &items).await;
        }
        let pages = pages(&mut stand, "someone", 0).await;
        let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
        assert_eq!(stand.items.calls.take().len(), 2);
        stand.stop().await;
    }
}

#[tokio::test]
async fn a_page_of_large_items_is_short_and_the_next_ones_go_on() {
    let mut stand = Stand::sqlite().await;
    for _ in 0..3 {
        order_of(&mut stand, &["large"]).await;
    }
    let sizes: Vec<_> = pages(&mut stand, "", 0)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(sizes, [2, 1]);
    stand.stop().await;
}

#[tokio::test]
async fn an_order_that_is_larger_than_a_page_is_one_by_itself() {
    let mut stand = Stand::sqlite().await;
    let client = stand.client.clone();
    stand.client = client.max_decoding_message_size(16 << 20);
    for _ in 0..2 {
        order_of(&mut stand, &["large"; 8]).await;
    }
    let sizes: Vec<_> = pages(&mut stand, "", 0)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(sizes, [1, 1]);
    stand.stop().await;
}

#[tokio::test]
async fn an_order_that_is_deleted_between_two_pages_is_left_out() {
    for mut stand in Stand::each().await {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(order_of(&mut stand, &["a"]).await);
        }
        ids.sort_unstable();
        let first = list(&mut stand, page("", 1, "")).await.unwrap();
        for id in [&ids[0], &ids[1]] {
            let request = DeleteOrderRequest { id: id.clone() };
            stand.client.delete_order(request).await.unwrap();
        }
        let rest = page("", 9, &first.next_page_token);
        let rest = list(&mut stand, rest).await.unwrap();
        assert_eq!(rest.details.len(), 1);
        assert_eq!(rest.details[0].id, ids[2]);
        stand.stop().await;
    }
}

#[tokio::test]
async fn wrong_arguments_and_tokens_of_other_lists_are_named() {
    let mut stand = Stand::sqlite().await;
    for _ in 0..2 {
        order_of(&mut stand, &["a"]).await;
    }
    let first = list(&mut stand, page("someone", 1, "")).await.unwrap();
    for (request, field) in [
        (page("-", 0, ""), "user"),
        (page("", -1, ""), "page_size"),
        (page("", 0, "?"), "page_token"),
        (page("", 1, &first.next_page_token), "page_token"),
    ] {
        let status = list(&mut stand, request).await.unwrap_err();
        assert_eq!(fields(&status), [field]);
    }
    stand.stop().await;
}

#[tokio::test]
async fn a_page_is_whole_or_it_is_what_the_item_service_said() {
    let mut stand = Stand::sqlite().await;
    order_of(&mut stand, &["a", "b"]).await;
    for (item, code) in [
        ("full", Code::ResourceExhausted),
        ("silent", Code::Unavailable),
    ] {
        let id = order_of(&mut stand, &["b", item]).await;
        let status = list(&mut stand, page("", 0, "")).await.unwrap_err();
        assert_eq!(status.code(), code);
        let request = DeleteOrderRequest { id };
        stand.client.delete_order(request).await.unwrap();
    }
    stand.items.breaking.store(2, Ordering::SeqCst);
    let answer = list(&mut stand, page("", 0, "")).await.unwrap();
    assert_eq!(answer.details[0].items, ["a", "b"].map(item));
    stand.stop().await;
}

#[tokio::test]
async fn the_deadline_and_the_trace_headers_of_a_page_are_carried_on() {
    let mut stand = Stand::sqlite().await;
    order_of(&mut stand, &["a"]).await;
    let metadata = MetadataMap::from_headers(trace_headers());
    let mut request = Request::from_parts(metadata, Default::default(), page("", 0, ""));
    request.set_timeout(Duration::from_secs(60));
    stand.client.list_order_details(request).await.unwrap();
    let calls = stand.items.calls.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(only_trace_headers(&calls[0]), trace_headers());
    let left = timeout::requested(&calls[0]).unwrap().unwrap().as_secs();
    assert!((30..60).contains(&left), "{left}");
    stand.stop().await;
}
