//! The calls to the item service, and the handling of its responses.

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

/// Creates an order with any items, even missing ones.
async fn order_of(fixture: &mut Fixture, items: &[&str]) -> GetOrderDetailRequest {
    let existing: Vec<String> = (0..items.len())
        .map(|number| format!("a{number}"))
        .collect();
    let existing: Vec<&str> = existing.iter().map(String::as_str).collect();
    let id = fixture.create("someone", &existing).await.unwrap().id;
    fixture.set_items(&id, items).await;
    fixture.items.calls.take();
    fixture.items.looked_up.take();
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
async fn items_keep_their_order_and_one_call_looks_up_each_once() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["c", "gone", "a", "c", "gone", "b"]).await;
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert_eq!(detail.items, ["c", "a", "c", "b"].map(item));
    assert_eq!(detail.missing_items, ["gone", "gone"]);
    assert_eq!(fixture.items.looked_up.take(), ["a", "b", "c", "gone"]);
    assert_eq!(fixture.items.calls.take().len(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn the_maximum_number_of_items_needs_one_call() {
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
async fn an_empty_order_needs_no_lookup() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &[]).await;
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert!(detail.items.is_empty());
    assert!(fixture.items.calls.take().is_empty());
    fixture.stop().await;
}

#[tokio::test]
async fn a_refusal_is_passed_on_unchanged_and_not_retried() {
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
async fn an_aborted_lookup_is_retried_from_the_start() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "b", "c"]).await;
    fixture.items.aborting.store(2, Ordering::SeqCst);
    let detail = detail(&mut fixture.client, request).await.unwrap();
    assert_eq!(detail.items, ["a", "b", "c"].map(item));
    let looked_up = fixture.items.looked_up.take();
    assert_eq!(looked_up, ["a", "a", "a", "b", "c"], "three attempts");
    fixture.stop().await;
}

#[tokio::test]
async fn retries_of_a_lookup_are_limited() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "b"]).await;
    fixture.items.aborting.store(usize::MAX, Ordering::SeqCst);
    let status = detail(&mut fixture.client, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "going away");
    assert_eq!(fixture.items.calls.take().len(), 5);
    fixture.stop().await;
}

#[tokio::test]
async fn a_lookup_is_retried_until_the_item_service_is_back() {
    let mut fixture = Fixture::closing(2, TestDatabase::sqlite(), &[]).await;
    fixture.create("someone", &["a"]).await.unwrap();
    assert_eq!(fixture.items.calls.take().len(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn an_incomplete_response_is_an_error_and_no_missing_item() {
    let mut fixture = Fixture::sqlite().await;
    let request = order_of(&mut fixture, &["a", "silent"]).await;
    let status = detail(&mut fixture.client, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    fixture.stop().await;
}

#[tokio::test]
async fn an_unreachable_item_service_is_unavailable() {
    let nobody = free_port().await;
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let mut fixture = Fixture::new(TestDatabase::sqlite(), &["--endpoint", &address]).await;
    let status = fixture.create("someone", &["a"]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "peer unreachable");
    fixture.stop().await;
}

#[tokio::test]
async fn trace_headers_are_propagated() {
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
async fn the_deadline_is_propagated() {
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
    // This client enforces no deadline itself, so the status comes from the server.
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
async fn a_running_call_finishes_during_the_drain() {
    let mut fixture = Fixture::new(TestDatabase::sqlite(), &["--drain-timeout", "1h"]).await;
    let request = order_of(&mut fixture, &["held"]).await;
    let mut client = fixture.client.clone();
    let answer = tokio::spawn(async move { detail(&mut client, request).await });
    fixture.items.arrived.notified().await;
    let items = fixture.items.clone();
    let ending = fixture.stopping();
    items.release.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().items, [item("held")]);
    ending.await;
}

#[tokio::test]
async fn a_stalled_call_is_aborted_after_the_drain_timeout() {
    let mut fixture = Fixture::new(TestDatabase::sqlite(), &["--drain-timeout", "50ms"]).await;
    let request = order_of(&mut fixture, &["held"]).await;
    let mut client = fixture.client.clone();
    let answer = tokio::spawn(async move { detail(&mut client, request).await });
    fixture.items.arrived.notified().await;
    fixture.stop().await;
    answer.await.unwrap().unwrap_err();
}
