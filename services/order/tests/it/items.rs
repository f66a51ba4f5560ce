//! What `order` asks of the item service, and what it makes of the answers.

use std::{sync::atomic::Ordering, time::Duration};

use chassis::testing::{TestDatabase, free_port, only_trace_headers, trace_headers};
use grpc_wire::timeout;
use hyper_util::{client::legacy, rt::TokioExecutor};
use order::MAX_ITEMS;
use proto::order::{
    GetOrderDetailRequest, GetOrderDetailResponse, order_service_client::OrderServiceClient,
};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap};

use crate::support::{Fixture, OrderClient, item};

/// Writes an order with any items.
async fn order_of(fixture: &mut Fixture, items: &[&str]) -> GetOrderDetailRequest {
    let existing: Vec<String> = (0..items.len())
        .map(|number| format!("a{number}"))
        .collect();
    let existing: Vec<&str> = existing.iter().map(String::as_str).collect();
    let id = fixture.create("someone", &existing).await.unwrap().id;
    fixture.set_items(&id, items).await;
    fixture.items.calls.take();
    fixture.items.asked.take();
    GetOrderDetailRequest { id }
}

async fn detail(
    client: &mut OrderClient,
    request: GetOrderDetailRequest,
) -> Result<GetOrderDetailResponse, Status> {
    client
        .get_order_detail(request)
        .await
        .map(Response::into_inner)
}

#[tokio::test]
async fn items_come_in_their_order_and_one_call_asks_for_each_once() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["c", "gone", "a", "c", "gone", "b"]).await;
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert_eq!(detail.items, ["c", "a", "c", "b"].map(item));
    assert_eq!(detail.missing_items, ["gone", "gone"]);
    assert_eq!(fixture.items.asked.take(), ["a", "b", "c", "gone"]);
    assert_eq!(fixture.items.calls.take().len(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn the_most_items_that_an_order_has_need_one_call() {
    let mut fixture = Fixture::sqlite().await;
    let ids: Vec<String> = (0..MAX_ITEMS)
        .map(|number| format!("{number:0128}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let request = order_of(&mut fixture, &ids).await;
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert_eq!(detail.items.len(), MAX_ITEMS);
    assert_eq!(fixture.items.calls.take().len(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn an_order_of_nothing_asks_nobody() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &[]).await;
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert!(detail.items.is_empty());
    assert!(fixture.items.calls.take().is_empty());
    fixture.stop().await;
}

#[tokio::test]
async fn a_refusal_is_passed_on_as_it_is_and_not_asked_again() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "full"]).await;
    let from_detail = detail(&mut fixture.client, request).await.unwrap_err();
    let from_create = fixture
        .create("someone", &["full", "gone"])
        .await
        .unwrap_err();
    for status in [from_detail, from_create] {
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "no worker");
        assert_eq!(status.details(), b"details");
    }
    assert_eq!(fixture.items.calls.take().len(), 2);
    fixture.stop().await;
}

#[tokio::test]
async fn a_lookup_that_breaks_off_is_made_again_as_a_whole() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "b", "c"]).await;
    fixture.items.breaking.store(2, Ordering::SeqCst);
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert_eq!(detail.items, ["a", "b", "c"].map(item));
    let asked = fixture.items.asked.take();
    assert_eq!(
        asked,
        ["a", "a", "a", "b", "c"],
        "three times from the start"
    );
    fixture.stop().await;
}

#[tokio::test]
async fn a_lookup_that_never_succeeds_is_given_up() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "b"]).await;
    fixture.items.breaking.store(usize::MAX, Ordering::SeqCst);
    let status = detail(&mut fixture.client, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "going away");
    assert_eq!(fixture.items.calls.take().len(), 5);
    fixture.stop().await;
}

#[tokio::test]
async fn an_item_service_that_comes_back_is_asked_again() {
    let mut fixture = Fixture::closing(2, TestDatabase::sqlite(), &[]).await;
    fixture.create("someone", &["a"]).await.unwrap();
    assert_eq!(fixture.items.calls.take().len(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_left_out_is_an_error_and_no_missing_item() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "silent"]).await;
    let status = detail(&mut fixture.client, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    fixture.stop().await;
}

#[tokio::test]
async fn an_item_service_that_is_not_there_is_unavailable() {
    let nobody = free_port().await;
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let mut fixture = Fixture::new(TestDatabase::sqlite(), &["--endpoint", &address]).await;
    let status = fixture.create("someone", &["a"]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "peer not reachable");
    fixture.stop().await;
}

#[tokio::test]
async fn trace_headers_are_carried_on() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "b"]).await;
    let mut headers = trace_headers();
    headers.insert("authorization", "secret".parse().unwrap());
    let request = Request::from_parts(
        MetadataMap::from_headers(headers),
        Default::default(),
        request,
    );
    fixture.client.get_order_detail(request).await.unwrap();
    let calls = fixture.items.calls.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(only_trace_headers(&calls[0]), trace_headers());
    assert!(!calls[0].contains_key("authorization"));
    fixture.stop().await;
}

#[tokio::test]
async fn the_deadline_is_carried_on() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a"]).await;
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_secs(60));
    fixture.client.get_order_detail(request).await.unwrap();
    let headers = fixture.items.calls.take().remove(0);
    let left = timeout::requested(&headers).unwrap().unwrap();
    assert!(
        left < Duration::from_secs(60) && left > Duration::from_secs(30),
        "{left:?}"
    );
    fixture.stop().await;
}

#[tokio::test]
async fn an_expired_deadline_is_deadline_exceeded_on_the_wire() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["held"]).await;
    // A client that keeps no time of its own: what it gets, the server has said.
    let http = legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let origin = format!("http://{}", fixture.service.address)
        .parse()
        .unwrap();
    let mut client = OrderServiceClient::with_origin(http, origin);
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_millis(50));
    let status = client.get_order_detail(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    fixture.stop().await;
}

#[tokio::test]
async fn a_call_under_way_is_finished_before_the_end() {
    let mut fixture = Fixture::new(TestDatabase::sqlite(), &["--drain-timeout", "1h"]).await;
    let request = order_of(&mut fixture, &["held"]).await;
    let mut client = fixture.client.clone();
    let answer = tokio::spawn(async move { detail(&mut client, request).await });
    fixture.items.arrived.notified().await;
    let items = fixture.items.clone();
    let ending = fixture.stopping();
    items.let_go.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().items, [item("held")]);
    ending.await;
}

#[tokio::test]
async fn a_call_that_does_not_finish_is_cut_off_after_the_drain_timeout() {
    let mut fixture = Fixture::new(TestDatabase::sqlite(), &["--drain-timeout", "50ms"]).await;
    let request = order_of(&mut fixture, &["held"]).await;
    let mut client = fixture.client.clone();
    let answer = tokio::spawn(async move { detail(&mut client, request).await });
    fixture.items.arrived.notified().await;
    fixture.stop().await;
    answer.await.unwrap().unwrap_err();
}
