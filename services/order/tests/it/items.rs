//! What `order` asks of the item service, and what it makes of the answers.

use std::{sync::atomic::Ordering, time::Duration};

use chassis::testing::{Database, free_port, only_trace_headers, trace_headers};
use grpc_wire::timeout;
use hyper_util::{client::legacy, rt::TokioExecutor};
use order::service::MAX_ITEMS;
use proto::order::{
    GetOrderDetailRequest, GetOrderDetailResponse, order_service_client::OrderServiceClient,
};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap};

use crate::support::{Client, Stand, item};

/// Writes an order with any items.
async fn order_of(stand: &mut Stand, items: &[&str]) -> GetOrderDetailRequest {
    let existing: Vec<String> = (0..items.len())
        .map(|number| format!("a{number}"))
        .collect();
    let existing: Vec<&str> = existing.iter().map(String::as_str).collect();
    let id = stand.create("someone", &existing).await.unwrap().id;
    stand.set_items(&id, items).await;
    stand.items.calls.take();
    stand.items.asked.take();
    GetOrderDetailRequest { id }
}

async fn detail(
    client: &mut Client,
    request: GetOrderDetailRequest,
) -> Result<GetOrderDetailResponse, Status> {
    client
        .get_order_detail(request)
        .await
        .map(Response::into_inner)
}

#[tokio::test]
async fn items_come_in_their_order_and_one_call_asks_for_each_once() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["c", "gone", "a", "c", "gone", "b"]).await;
    let detail = detail(&mut stand.client, request).await.unwrap();
    assert_eq!(detail.items, ["c", "a", "c", "b"].map(item));
    assert_eq!(detail.missing_items, ["gone", "gone"]);
    assert_eq!(stand.items.asked.take(), ["a", "b", "c", "gone"]);
    assert_eq!(stand.items.calls.take().len(), 1);
    stand.stop().await;
}

#[tokio::test]
async fn the_most_items_that_an_order_has_need_one_call() {
    let mut stand = Stand::sqlite().await;
    let ids: Vec<String> = (0..MAX_ITEMS)
        .map(|number| format!("{number:0128}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let request = order_of(&mut stand, &ids).await;
    let detail = detail(&mut stand.client, request).await.unwrap();
    assert_eq!(detail.items.len(), MAX_ITEMS);
    assert_eq!(stand.items.calls.take().len(), 1);
    stand.stop().await;
}

#[tokio::test]
async fn an_order_of_nothing_asks_nobody() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &[]).await;
    let detail = detail(&mut stand.client, request).await.unwrap();
    assert!(detail.items.is_empty());
    assert!(stand.items.calls.take().is_empty());
    stand.stop().await;
}

#[tokio::test]
async fn a_refusal_is_passed_on_as_it_is_and_not_asked_again() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a", "full"]).await;
    let from_detail = detail(&mut stand.client, request).await.unwrap_err();
    let from_create = stand
        .create("someone", &["full", "gone"])
        .await
        .unwrap_err();
    for status in [from_detail, from_create] {
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "no worker");
        assert_eq!(status.details(), b"details");
    }
    assert_eq!(stand.items.calls.take().len(), 2);
    stand.stop().await;
}

#[tokio::test]
async fn a_lookup_that_breaks_off_is_made_again_as_a_whole() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a", "b", "c"]).await;
    stand.items.breaking.store(2, Ordering::SeqCst);
    let detail = detail(&mut stand.client, request).await.unwrap();
    assert_eq!(detail.items, ["a", "b", "c"].map(item));
    let asked = stand.items.asked.take();
    assert_eq!(
        asked,
        ["a", "a", "a", "b", "c"],
        "three times from the start"
    );
    stand.stop().await;
}

#[tokio::test]
async fn a_lookup_that_never_succeeds_is_given_up() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a", "b"]).await;
    stand.items.breaking.store(usize::MAX, Ordering::SeqCst);
    let status = detail(&mut stand.client, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "going away");
    assert_eq!(stand.items.calls.take().len(), 5);
    stand.stop().await;
}

#[tokio::test]
async fn an_item_service_that_comes_back_is_asked_again() {
    let mut stand = Stand::closing(2, Database::sqlite(), &[]).await;
    stand.create("someone", &["a"]).await.unwrap();
    assert_eq!(stand.items.calls.take().len(), 1);
    stand.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_left_out_is_an_error_and_no_missing_item() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a", "silent"]).await;
    let status = detail(&mut stand.client, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    stand.stop().await;
}

#[tokio::test]
async fn an_item_service_that_is_not_there_is_unavailable() {
    let nobody = free_port().await;
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let mut stand = Stand::new(Database::sqlite(), &["--endpoint", &address]).await;
    let status = stand.create("someone", &["a"]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "peer not reachable");
    stand.stop().await;
}

#[tokio::test]
async fn trace_headers_are_carried_on() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a", "b"]).await;
    let mut headers = trace_headers();
    headers.insert("authorization", "secret".parse().unwrap());
    let request = Request::from_parts(
        MetadataMap::from_headers(headers),
        Default::default(),
        request,
    );
    stand.client.get_order_detail(request).await.unwrap();
    let calls = stand.items.calls.take();
    assert_eq!(calls.len(), 1);
    assert_eq!(only_trace_headers(&calls[0]), trace_headers());
    assert!(!calls[0].contains_key("authorization"));
    stand.stop().await;
}

#[tokio::test]
async fn the_deadline_is_carried_on() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a"]).await;
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_secs(60));
    stand.client.get_order_detail(request).await.unwrap();
    let headers = stand.items.calls.take().remove(0);
    let left = timeout::requested(&headers).unwrap().unwrap();
    assert!(
        left < Duration::from_secs(60) && left > Duration::from_secs(30),
        "{left:?}"
    );
    stand.stop().await;
}

#[tokio::test]
async fn an_expired_deadline_is_deadline_exceeded_on_the_wire() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["held"]).await;
    // A client that keeps no time of its own: what it gets, the server has said.
    let http = legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let origin = format!("http://{}", stand.service.address).parse().unwrap();
    let mut client = OrderServiceClient::with_origin(http, origin);
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_millis(50));
    let status = client.get_order_detail(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    stand.stop().await;
}

#[tokio::test]
async fn a_call_under_way_is_finished_before_the_end() {
    let mut stand = Stand::new(Database::sqlite(), &["--drain-timeout", "1h"]).await;
    let request = order_of(&mut stand, &["held"]).await;
    let mut client = stand.client.clone();
    let answer = tokio::spawn(async move { detail(&mut client, request).await });
    stand.items.arrived.notified().await;
    let items = stand.items.clone();
    let ending = stand.stopping();
    items.let_go.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().items, [item("held")]);
    ending.await;
}

#[tokio::test]
async fn a_call_that_does_not_finish_is_cut_off_after_the_drain_timeout() {
    let mut stand = Stand::new(Database::sqlite(), &["--drain-timeout", "50ms"]).await;
    let request = order_of(&mut stand, &["held"]).await;
    let mut client = stand.client.clone();
    let answer = tokio::spawn(async move { detail(&mut client, request).await });
    stand.items.arrived.notified().await;
    stand.stop().await;
    answer.await.unwrap().unwrap_err();
}
