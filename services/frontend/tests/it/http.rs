//! Paths, methods, health and metrics.

use axum::body::Body;
use chassis::testing::{get, http};
use http::{Method, Request};
use serde_json::Value;

use crate::support::{Fixture, Scenario};

#[tokio::test]
async fn an_unknown_path_or_method_is_a_json_error() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    for (method, path, status, code) in [
        (Method::GET, "/nothing", 404, "NOT_FOUND"),
        (Method::GET, "/index/", 404, "NOT_FOUND"),
        (Method::POST, "/index", 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "/", 405, "METHOD_NOT_ALLOWED"),
        (Method::POST, "/healthz", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = http(fixture.service.address, request).await;
        assert_eq!(response.status(), status, "{path}");
        if status == 405 {
            assert_eq!(response.headers()["allow"], "GET,HEAD");
        }
        let error: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(error["error"]["code"], code);
    }
    fixture.stop().await;
}

#[tokio::test]
async fn the_response_to_head_has_no_body() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    let request = Request::head("/index").body(Body::empty()).unwrap();
    let response = http(fixture.service.address, request).await;
    assert_eq!(
        (response.status().as_u16(), response.body().as_str()),
        (200, "")
    );
    fixture.stop().await;
}

#[tokio::test]
async fn the_frontend_is_healthy_without_its_peers_and_counts_requests_by_known_paths() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    let address = fixture.service.address;
    let health = get(address, "/healthz").await;
    assert_eq!(
        (health.status().as_u16(), health.body().as_str()),
        (200, "OK")
    );
    for path in [
        "/",
        "/index",
        "/index?page_size=1",
        "/nothing",
        "/something",
    ] {
        get(address, path).await;
    }
    let metrics = get(address, "/metrics").await.into_body();
    for line in [
        r#"http_requests_total{code="200",path="/"} 1"#,
        r#"http_requests_total{code="200",path="/index"} 2"#,
        r#"http_requests_total{code="404",path="unknown"} 2"#,
        r#"http_request_duration_seconds_count{path="/index"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("nothing"));
    fixture.stop().await;
}
