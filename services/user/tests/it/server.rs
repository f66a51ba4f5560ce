//! The common parts of every gRPC service: health, metrics, limits.

use chassis::testing::{TestDatabase, get};
use proto::user::{GetUserRequest, ListUsersRequest};
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{create, start};

fn about(service: &str) -> HealthCheckRequest {
    let service = service.to_owned();
    HealthCheckRequest { service }
}

#[tokio::test]
async fn the_server_and_the_service_are_healthy() {
    let database = TestDatabase::sqlite();
    let (_client, service) = start(&database.url, &[]).await;
    let mut health = HealthClient::new(service.channel());
    for name in ["", "user.UserService"] {
        let answer = health.check(about(name)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name:?}");
    }
    let status = health.check(about("cart.CartService")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_watcher_is_notified_of_the_shutdown_and_does_not_delay_it() {
    let database = TestDatabase::sqlite();
    let (_client, service) = start(&database.url, &["--drain-timeout", "1h"]).await;
    let mut health = HealthClient::new(service.channel());
    let mut states = health.watch(about("")).await.unwrap().into_inner();
    let first = states.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let ending = service.stopping();
    let second = states.message().await.unwrap().unwrap();
    assert_eq!(second.status(), ServingStatus::NotServing);
    assert!(states.message().await.unwrap().is_none());
    ending.await.unwrap().unwrap();
}

#[tokio::test]
async fn healthz_is_ok_and_metrics_count_calls() {
    let database = TestDatabase::sqlite();
    let (mut client, service) = start(&database.url, &[]).await;
    create(&mut client, "someone").await;
    let nobody = GetUserRequest {
        id: "nobody".to_owned(),
    };
    client.get_user(nobody).await.unwrap_err();
    client
        .list_users(ListUsersRequest::default())
        .await
        .unwrap();
    let mut unknown =
        proto::order::order_service_client::OrderServiceClient::new(service.channel());
    let status = unknown
        .list_orders(proto::order::ListOrdersRequest::default())
        .await;
    assert_eq!(status.unwrap_err().code(), Code::Unimplemented);

    let health = get(service.aux, "/healthz").await;
    assert_eq!(
        (health.status().as_u16(), health.body().as_str()),
        (200, "OK")
    );
    let metrics = get(service.aux, "/metrics").await.into_body();
    let get_user = r#"grpc_method="GetUser",grpc_service="user.UserService",grpc_type="unary""#;
    let failed = r#"grpc_code="NotFound",grpc_method="GetUser",grpc_service="user.UserService",grpc_type="unary""#;
    let create_user =
        r#"grpc_method="CreateUser",grpc_service="user.UserService",grpc_type="unary""#;
    let unknown = r#"grpc_code="Unimplemented",grpc_method="unknown",grpc_service="unknown",grpc_type="unary""#;
    for line in [
        format!("grpc_server_started_total{{{get_user}}} 1"),
        format!("grpc_server_msg_received_total{{{get_user}}} 1"),
        format!("grpc_server_msg_sent_total{{{get_user}}} 0"),
        format!("grpc_server_msg_sent_total{{{create_user}}} 1"),
        format!("grpc_server_handled_total{{{failed}}} 1"),
        format!("grpc_server_handled_total{{{unknown}}} 1"),
        format!("grpc_server_handling_seconds_count{{{get_user}}} 1"),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn eight_kilobytes_of_headers_are_accepted() {
    let database = TestDatabase::sqlite();
    let (mut client, service) = start(&database.url, &[]).await;
    let mut request = Request::new(ListUsersRequest::default());
    let baggage = "x".repeat(8192).parse().unwrap();
    request.metadata_mut().insert("baggage", baggage);
    client.list_users(request).await.unwrap();
    service.stop().await.unwrap();
}
