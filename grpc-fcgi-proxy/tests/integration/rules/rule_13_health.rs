//! Health: Check returns a service's status or NOT_FOUND, "" is the server; Watch sends each change, and SERVICE_UNKNOWN.

use std::collections::BTreeMap;

use grpc_fcgi_proxy::builtin::health::pb::health_check_response::ServingStatus;
use grpc_fcgi_proxy::builtin::health::pb::{
    HealthCheckRequest, HealthCheckResponse, HealthListResponse,
};
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};

use tonic::Code;

use crate::support::{Client, Response, StreamingCall, serve, serve_descriptors, serve_streams};

fn request(service: &str) -> Vec<u8> {
    let service = service.to_owned();
    HealthCheckRequest { service }.encode_to_vec()
}

fn state(message: &[u8]) -> ServingStatus {
    HealthCheckResponse::decode(message).unwrap().status()
}

async fn check(client: &Client, service: &str) -> Response {
    client
        .call_method("/grpc.health.v1.Health/Check", &request(service), &[])
        .await
}

fn watch(client: &Client, service: &str) -> StreamingCall {
    let mut stream = client.stream_at("/grpc.health.v1.Health/Watch", &[]);
    stream.send(&request(service));
    stream.half_close();
    stream
}

/// Reads up to this state. Another may come before it.
async fn watch_until(stream: &mut StreamingCall, wanted: ServingStatus) {
    while state(&stream.next().await.unwrap()) != wanted {}
}

#[tokio::test]
async fn the_ping_page_decides_for_the_server_and_each_service() {
    let (mut php_fpm, _proxy, client) = serve_streams("echo.php", &["--ping-path", "/ping"]).await;
    let mut watched = watch(&client, "test.Service");
    watch_until(&mut watched, ServingStatus::Serving).await;
    for service in ["", "test.Service"] {
        let response = check(&client, service).await;
        assert_eq!(state(response.content()), ServingStatus::Serving);
    }
    php_fpm.stop().await;
    let changed = watched.next().await.unwrap();
    assert_eq!(state(&changed), ServingStatus::NotServing);
    let response = check(&client, "").await;
    assert_eq!(state(response.content()), ServingStatus::NotServing);
    php_fpm.start_again().await;
    let changed = watched.next().await.unwrap();
    assert_eq!(state(&changed), ServingStatus::Serving);
}

#[tokio::test]
async fn without_a_ping_path_a_connection_decides() {
    let (mut php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let mut watched = watch(&client, "");
    watch_until(&mut watched, ServingStatus::Serving).await;
    php_fpm.stop().await;
    watch_until(&mut watched, ServingStatus::NotServing).await;
}

#[tokio::test]
async fn a_missing_ping_page_is_not_serving() {
    let (_php_fpm, mut proxy, client) = serve("echo.php", &["--ping-path", "/other"]).await;
    let record = proxy
        .logged(|record| record["message"] == "php-fpm is unhealthy")
        .await;
    assert_eq!(
        record["error"],
        "the ping page answers with HTTP status 404 Not Found"
    );
    let response = check(&client, "").await;
    assert_eq!(state(response.content()), ServingStatus::NotServing);
}

async fn list(client: &Client) -> Response {
    client
        .call_method("/grpc.health.v1.Health/List", &[], &[])
        .await
}

#[tokio::test]
async fn the_list_has_the_state_of_every_service() {
    let (mut php_fpm, _proxy, client) = serve_streams("echo.php", &[]).await;
    let mut watched = watch(&client, "");
    let listed = async |wanted| {
        let response = list(&client).await;
        let response = HealthListResponse::decode(response.content()).unwrap();
        let statuses: BTreeMap<_, _> = response.statuses.into_iter().collect();
        let services: Vec<_> = statuses.keys().collect();
        assert_eq!(services, ["", "probe.Service", "test.Service"]);
        assert!(statuses.values().all(|status| status.status() == wanted));
    };
    watch_until(&mut watched, ServingStatus::Serving).await;
    listed(ServingStatus::Serving).await;
    php_fpm.stop().await;
    watch_until(&mut watched, ServingStatus::NotServing).await;
    listed(ServingStatus::NotServing).await;
}

fn services(count: usize) -> Vec<u8> {
    let service = |number| ServiceDescriptorProto {
        name: Some(format!("Service{number}")),
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("many.proto".into()),
        service: (0..count).map(service).collect(),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[tokio::test]
async fn no_more_than_100_services_are_listed() {
    // The server itself, "", is one too.
    let (_php_fpm, _proxy, client) = serve_descriptors(&services(99), "echo.php", &[]).await;
    let response = HealthListResponse::decode(list(&client).await.content()).unwrap();
    assert_eq!(response.statuses.len(), 100);
    let (_php_fpm, _proxy, client) = serve_descriptors(&services(100), "echo.php", &[]).await;
    assert_eq!(list(&client).await.status().0, Code::ResourceExhausted);
}

#[tokio::test]
async fn an_unknown_service_is_not_found_by_a_check() {
    let (_php_fpm, _proxy, client) = serve_streams("echo.php", &[]).await;
    let response = check(&client, "other.Service").await;
    assert_eq!(response.status().0, Code::NotFound);
}

#[tokio::test]
async fn the_watch_of_an_unknown_service_goes_on_until_the_drain() {
    let (_php_fpm, proxy, client) = serve_streams("echo.php", &[]).await;
    let mut unknown = watch(&client, "other.Service");
    assert_eq!(
        state(&unknown.next().await.unwrap()),
        ServingStatus::ServiceUnknown
    );
    watch_until(&mut watch(&client, ""), ServingStatus::Serving).await;
    proxy.terminate();
    // It was open until now, and only the first state has come.
    assert_eq!(unknown.status().await.0, Code::Unavailable);
}

#[tokio::test]
async fn a_draining_proxy_is_not_serving_and_ends_watches() {
    let (_php_fpm, mut proxy, client) = serve("sleep.php", &[]).await;
    let mut watched = watch(&client, "");
    watch_until(&mut watched, ServingStatus::Serving).await;
    let running = client.clone();
    let running = tokio::spawn(async move { running.call(b"whole", &[("x-seconds", "1")]).await });
    proxy.metric_becomes("fcgi_exchanges_running", 1.0).await;
    proxy.terminate();
    let changed = watched.next().await.unwrap();
    assert_eq!(state(&changed), ServingStatus::NotServing);
    assert_eq!(watched.status().await.0, Code::Unavailable);
    assert_eq!(running.await.unwrap().content(), b"whole");
    assert!(proxy.wait().await.success());
}

#[tokio::test]
async fn another_method_of_the_service_is_unimplemented() {
    let (_php_fpm, _proxy, client) = serve("echo.php", &[]).await;
    let response = client
        .call_method("/grpc.health.v1.Health/Other", &[], &[])
        .await;
    assert_eq!(response.status().0, Code::Unimplemented);
}
