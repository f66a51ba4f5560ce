//! What `order` asks of the item service, and what it makes of the answers.

use std::{sync::atomic::Ordering, time::Duration};

use chassis::testing::{Database, free_port, only_trace_headers, trace_headers};
use hyper_util::{client::legacy, rt::TokioExecutor};
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
async fn items_come_in_their_order_and_each_is_asked_for_once() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["c", "gone", "a", "c", "gone", "b"]).await;
    let detail = detail(&mut stand.client, request).await.unwrap();
    assert_eq!(detail.items, ["c", "a", "c", "b"].map(item));
    assert_eq!(detail.missing_items, ["gone", "gone"]);
    let mut asked: Vec<String> = stand
        .items
        .calls
        .take()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    asked.sort();
    assert_eq!(asked, ["a", "b", "c", "gone"]);
    stand.stop().await;
}

#[tokio::test]
async fn items_are_asked_for_concurrently_within_the_bound() {
    let mut stand = Stand::new(Database::sqlite(), &["--concurrency", "2"]).await;
    let ids = ["pair1", "pair2", "pair3", "pair4", "pair5", "pair6"];
    let request = order_of(&mut stand, &ids).await;
    // None of them is answered before another one has come.
    let detail = detail(&mut stand.client, request).await.unwrap();
    assert_eq!(detail.items.len(), 6);
    assert_eq!(stand.items.most_at_once.load(Ordering::SeqCst), 2);
    stand.stop().await;
}

#[tokio::test]
async fn other_failures_are_passed_on_as_they_are() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a", "full"]).await;
    let from_detail = detail(&mut stand.client, request).await.unwrap_err();
    let from_create = stand
        .create("someone", &["gone", "full"])
        .await
        .unwrap_err();
    for status in [from_detail, from_create] {
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "no worker");
        assert_eq!(status.details(), b"details");
    }
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
    assert_eq!(calls.len(), 2);
    for (_, headers) in calls {
        assert_eq!(only_trace_headers(&headers), trace_headers());
        assert!(!headers.contains_key("authorization"));
    }
    stand.stop().await;
}

#[tokio::test]
async fn the_deadline_is_carried_on() {
    let mut stand = Stand::sqlite().await;
    let request = order_of(&mut stand, &["a"]).await;
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_secs(60));
    stand.client.get_order_detail(request).await.unwrap();
    let (_, headers) = stand.items.calls.take().remove(0);
    let left = chassis::timeout::requested(&headers).unwrap();
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
