//! Lists of orders with their items.

use std::{sync::atomic::Ordering, time::Duration};

use chassis::testing::{only_trace_headers, trace_headers};
use grpc_wire::timeout;
use order::MAX_ITEMS;
use proto::order::{
    DeleteOrderRequest, GetOrderDetailRequest, ListOrderDetailsRequest, ListOrderDetailsResponse,
};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap};

use crate::support::{Fixture, fields, item};

fn page(user: &str, size: i32, token: &str) -> ListOrderDetailsRequest {
    ListOrderDetailsRequest {
        user: user.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
    }
}

async fn list(
    fixture: &mut Fixture,
    request: ListOrderDetailsRequest,
) -> Result<ListOrderDetailsResponse, Status> {
    let answer = fixture.client.list_order_details(request).await;
    answer.map(Response::into_inner)
}

/// Creates an order with any items, even missing ones.
async fn order_of(fixture: &mut Fixture, items: &[&str]) -> String {
    let id = fixture.create("someone", &[]).await.unwrap().id;
    fixture.set_items(&id, items).await;
    id
}

/// Lists all pages, each as the ids of its orders.
async fn pages(fixture: &mut Fixture, user: &str, size: i32) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let answer = list(fixture, page(user, size, &token)).await.unwrap();
        pages.push(answer.details.into_iter().map(|order| order.id).collect());
        token = answer.next_page_token;
        if token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_page_has_the_same_details_as_each_order_alone() {
    for mut fixture in Fixture::each().await {
        for items in [&["c", "gone", "a", "c", "gone"][..], &["a"], &[]] {
            order_of(&mut fixture, items).await;
        }
        let answer = list(&mut fixture, page("", 0, "")).await.unwrap();
        assert_eq!(answer.next_page_token, "");
        assert_eq!(answer.details.len(), 3);
        assert!(answer.details.is_sorted_by(|a, b| a.id < b.id));
        for listed in answer.details {
            let id = listed.id.clone();
            let request = GetOrderDetailRequest { id };
            let alone = fixture.client.get_order_detail(request).await.unwrap();
            assert_eq!(listed, alone.into_inner());
        }
        fixture.stop().await;
    }
}

#[tokio::test]
async fn missing_items_are_listed_apart() {
    let mut fixture = Fixture::sqlite().await;
    order_of(&mut fixture, &["c", "gone", "a", "c", "gone"]).await;
    let answer = list(&mut fixture, page("", 0, "")).await.unwrap();
    assert_eq!(answer.details[0].user, "someone");
    assert_eq!(answer.details[0].items, ["c", "a", "c"].map(item));
    assert_eq!(answer.details[0].missing_items, ["gone", "gone"]);
    fixture.stop().await;
}

#[tokio::test]
async fn one_call_looks_up_each_item_of_a_page_once() {
    let mut fixture = Fixture::sqlite().await;
    for items in [["a", "b"], ["b", "gone"], ["gone", "a"]] {
        order_of(&mut fixture, &items).await;
    }
    list(&mut fixture, page("", 0, "")).await.unwrap();
    assert_eq!(fixture.items.looked_up.take(), ["a", "b", "gone"]);
    assert_eq!(fixture.items.calls.take().len(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn a_page_without_items_needs_no_lookup() {
    let mut fixture = Fixture::sqlite().await;
    assert_eq!(pages(&mut fixture, "", 0).await, [[""; 0]]);
    let id = order_of(&mut fixture, &[]).await;
    assert_eq!(pages(&mut fixture, "", 0).await, [[id]]);
    assert!(fixture.items.calls.take().is_empty());
    fixture.stop().await;
}

#[tokio::test]
async fn pages_of_details_have_every_order_once_for_one_user_or_for_all() {
    for mut fixture in Fixture::each().await {
        for number in 0..5 {
            let user = ["even", "odd"][number % 2];
            fixture.create(user, &["a"]).await.unwrap();
        }
        for (user, expected) in [("", vec![2, 2, 1]), ("even", vec![2, 1]), ("odd", vec![2])] {
            let pages = pages(&mut fixture, user, 2).await;
            let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
            assert_eq!(sizes, expected);
            assert!(pages.concat().is_sorted_by(|a, b| a < b));
        }
        fixture.stop().await;
    }
}

#[tokio::test]
async fn only_the_items_of_the_page_are_looked_up() {
    let mut fixture = Fixture::sqlite().await;
    let (mut ids, items) = (Vec::new(), ["a", "b"]);
    for item in items {
        ids.push((order_of(&mut fixture, &[item]).await, item));
    }
    ids.sort_unstable();
    list(&mut fixture, page("", 1, "")).await.unwrap();
    assert_eq!(fixture.items.looked_up.take(), [ids[0].1]);
    fixture.stop().await;
}

#[tokio::test]
async fn a_page_ends_where_one_lookup_would_not_suffice() {
    for mut fixture in Fixture::each().await {
        for order in 0..3 {
            let items: Vec<_> = (0..MAX_ITEMS / 2)
                .map(|number| format!("{order}-{number}"))
                .collect();
            let items: Vec<_> = items.iter().map(String::as_str).collect();
            order_of(&mut fixture, &items).await;
        }
        let pages = pages(&mut fixture, "someone", 0).await;
        let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
        assert_eq!(fixture.items.calls.take().len(), 2);
        fixture.stop().await;
    }
}

#[tokio::test]
async fn a_page_of_large_items_is_short_and_the_next_page_continues() {
    let mut fixture = Fixture::sqlite().await;
    for _ in 0..3 {
        order_of(&mut fixture, &["large"]).await;
    }
    let sizes: Vec<_> = pages(&mut fixture, "", 0)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(sizes, [2, 1]);
    fixture.stop().await;
}

#[tokio::test]
async fn an_order_larger_than_a_page_has_a_page_of_its_own() {
    let mut fixture = Fixture::sqlite().await;
    let client = fixture.client.clone();
    fixture.client = client.max_decoding_message_size(16 << 20);
    for _ in 0..2 {
        order_of(&mut fixture, &["large"; 8]).await;
    }
    let sizes: Vec<_> = pages(&mut fixture, "", 0)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(sizes, [1, 1]);
    fixture.stop().await;
}

#[tokio::test]
async fn an_order_deleted_between_two_pages_is_omitted() {
    for mut fixture in Fixture::each().await {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(order_of(&mut fixture, &["a"]).await);
        }
        ids.sort_unstable();
        let first = list(&mut fixture, page("", 1, "")).await.unwrap();
        for id in [&ids[0], &ids[1]] {
            let request = DeleteOrderRequest { id: id.clone() };
            fixture.client.delete_order(request).await.unwrap();
        }
        let rest = page("", 9, &first.next_page_token);
        let rest = list(&mut fixture, rest).await.unwrap();
        assert_eq!(rest.details.len(), 1);
        assert_eq!(rest.details[0].id, ids[2]);
        fixture.stop().await;
    }
}

#[tokio::test]
async fn invalid_arguments_and_tokens_of_other_lists_are_named() {
    let mut fixture = Fixture::sqlite().await;
    for _ in 0..2 {
        order_of(&mut fixture, &["a"]).await;
    }
    let first = list(&mut fixture, page("someone", 1, "")).await.unwrap();
    for (request, field) in [
        (page("-", 0, ""), "user"),
        (page("", -1, ""), "page_size"),
        (page("", 0, "?"), "page_token"),
        (page("", 1, &first.next_page_token), "page_token"),
    ] {
        let status = list(&mut fixture, request).await.unwrap_err();
        assert_eq!(fields(&status), [field]);
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_page_is_complete_or_fails_with_the_status_of_the_item_service() {
    let mut fixture = Fixture::sqlite().await;
    order_of(&mut fixture, &["a", "b"]).await;
    for (item, code) in [
        ("full", Code::ResourceExhausted),
        ("silent", Code::Unavailable),
    ] {
        let id = order_of(&mut fixture, &["b", item]).await;
        let status = list(&mut fixture, page("", 0, "")).await.unwrap_err();
        assert_eq!(status.code(), code);
        let request = DeleteOrderRequest { id };
        fixture.client.delete_order(request).await.unwrap();
    }
    fixture.items.aborting.store(2, Ordering::SeqCst);
    let answer = list(&mut fixture, page("", 0, "")).await.unwrap();
    assert_eq!(answer.details[0].items, ["a", "b"].map(item));
    fixture.stop().await;
}

#[tokio::test]
async fn the_deadline_and_the_trace_headers_of_a_page_are_propagated() {
    let mut fixture = Fixture::sqlite().await;
    order_of(&mut fixture, &["a"]).await;
    let metadata = MetadataMap::from_headers(trace_headers());
    let mut request = Request::from_parts(metadata, Default::default(), page("", 0, ""));
    request.set_timeout(Duration::from_secs(60));
    fixture.client.list_order_details(request).await.unwrap();
    let calls = fixture.items.calls.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(only_trace_headers(&calls[0]), trace_headers());
    let left = timeout::requested(&calls[0]).unwrap().unwrap().as_secs();
    assert!((30..60).contains(&left), "{left}");
    fixture.stop().await;
}
