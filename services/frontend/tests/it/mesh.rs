//! The data of the map, with stand-ins for Prometheus and for the administration interface of Envoy.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{Query, Request},
    http::StatusCode,
    routing::get as on_get,
};
use chassis::testing::{Running, fake, free_port, get};
use serde_json::{Value, json};

use crate::support::start;

/// What Prometheus answers, as far as the page knows the labels. Of the calls of order to item, one of four fails by gRPC;
/// of those that ingress translates, it refuses one of eight itself, and another one fails by gRPC.
fn samples() -> Value {
    let sample = |labels: Value, value: &str| json!({ "metric": labels, "value": [1.5, value] });
    let edge = |part: &str, value| {
        sample(
            json!({ "part": part, "app": "order", "cluster": "item" }),
            value,
        )
    };
    let translated = |part: &str, value| {
        sample(
            json!({ "part": part, "app": "ingress", "cluster": "user" }),
            value,
        )
    };
    let pod = |part: &str, value| {
        sample(
            json!({ "part": part, "app": "item", "pod": "item-2" }),
            value,
        )
    };
    let app = |part: &str, value| sample(json!({ "part": part, "app": "item" }), value);
    json!({ "status": "success", "data": { "resultType": "vector", "result": [
        edge("edge_http", "4"), edge("edge_grpc", "4"), edge("edge_grpc_failed", "1"), edge("edge_p95", "NaN"),
        edge("edge_healthy", "1"), edge("edge_known", "2"),
        translated("edge_http", "8"), translated("edge_http_failed", "1"),
        translated("edge_grpc", "7"), translated("edge_grpc_failed", "1"),
        app("app_errors", "0.5"), app("app_p95", "0.25"),
        pod("up", "0"), pod("ready", "4"), pod("streams", "12"), pod("unary", "1"), pod("waiting", "0"),
    ] } })
}

/// A stand-in that counts the queries, and answers those that name it.
async fn prometheus(answer: (StatusCode, String)) -> (Running, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let query = async move |Query(query): Query<Vec<(String, String)>>, request: Request| {
        counted.fetch_add(1, Ordering::Relaxed);
        assert_eq!(request.uri().authority().unwrap(), "prometheus.test");
        assert!(
            query[0]
                .1
                .contains(r#"label_replace(min by (app, pod) (up), "part", "up", "", "")"#)
        );
        answer
    };
    let server = fake(Router::new().route("/api/v1/query", on_get(query))).await;
    (server, count)
}

async fn envoy() -> Running {
    let stats = async |Query(query): Query<Vec<(String, String)>>| {
        assert_eq!(query[0], ("format".to_owned(), "json".to_owned()));
        json!({ "stats": [
            { "name": "cluster.user.upstream_rq_completed", "value": 7 },
            { "name": "cluster.user.membership_healthy", "value": 1 },
            { "name": "cluster.user.membership_total", "value": 2 },
        ] })
        .to_string()
    };
    fake(Router::new().route("/stats", on_get(stats))).await
}

/// The edge that the stand-in for Envoy knows.
fn to_user() -> Value {
    json!({
        "from": "frontend", "to": "user", "calls_per_second": null, "error_ratio": null, "p95_seconds": null,
        "healthy_pods": 1.0, "known_pods": 2.0,
    })
}

async fn nobody() -> String {
    free_port().await.local_addr().unwrap().to_string()
}

/// The status and the map of a frontend with these sources.
async fn map(prometheus: &str, envoy: &str) -> (u16, Value) {
    let flags = [
        "--prometheus-authority",
        "prometheus.test",
        "--envoy-admin",
        envoy,
    ];
    let service = start(prometheus, &flags).await;
    let response = get(service.address, "/shop/mesh/data").await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/json");
    service.stop().await.unwrap();
    let map = serde_json::from_str(response.body()).unwrap();
    (response.status().as_u16(), map)
}

#[tokio::test]
async fn prometheus_knows_the_whole_map() {
    let (server, _) = prometheus((StatusCode::OK, samples().to_string())).await;
    let expected = json!({
        "source": "prometheus",
        "reason": null,
        "apps": [{ "app": "item", "error_ratio": 0.5, "p95_seconds": 0.25 }],
        "edges": [{
            "from": "ingress", "to": "user", "calls_per_second": 8.0, "error_ratio": 0.25, "p95_seconds": null,
            "healthy_pods": null, "known_pods": null,
        }, {
            "from": "order", "to": "item", "calls_per_second": 4.0, "error_ratio": 0.25, "p95_seconds": null,
            "healthy_pods": 1.0, "known_pods": 2.0,
        }],
        "pods": [{ "app": "item", "pod": "item-2", "up": false }],
        "workers": [{ "app": "item", "pod": "item-2", "ready": 4.0, "streams": 12.0, "unary": 1.0, "waiting": 0.0 }],
    });
    let address = server.address.to_string();
    assert_eq!(map(&address, &nobody().await).await, (200, expected));
    server.stop().await;
}

#[tokio::test]
async fn without_prometheus_the_map_is_what_the_own_envoy_knows_and_says_why() {
    let admin = envoy().await;
    let admin_address = admin.address.to_string();
    let too_long = format!("{}{}", samples(), " ".repeat(1 << 20));
    for (answer, reason) in [
        (
            (StatusCode::SERVICE_UNAVAILABLE, String::new()),
            "Prometheus answered with the HTTP status 503",
        ),
        (
            (StatusCode::OK, "[]".to_owned()),
            "Prometheus sent what is not its format, or more than 1 MiB",
        ),
        (
            (StatusCode::OK, too_long),
            "Prometheus sent what is not its format, or more than 1 MiB",
        ),
    ] {
        let (server, _) = prometheus(answer).await;
        let (status, map) = map(&server.address.to_string(), &admin_address).await;
        assert_eq!(status, 200, "{map}");
        assert_eq!(
            (&map["source"], &map["reason"]),
            (&json!("envoy"), &json!(reason))
        );
        assert_eq!(map["edges"], json!([to_user()]));
        assert_eq!((&map["pods"], &map["workers"]), (&json!([]), &json!([])));
        server.stop().await;
    }
    admin.stop().await;
}

/// As with `script/run --observability` where no statsd_exporter can be built.
#[tokio::test]
async fn without_metrics_of_envoy_the_edges_are_those_of_the_own_one() {
    let up =
        json!({ "metric": { "part": "up", "app": "item", "pod": "item-2" }, "value": [1.5, "1"] });
    let answer = json!({ "status": "success", "data": { "resultType": "vector", "result": [up] } });
    let (server, _) = prometheus((StatusCode::OK, answer.to_string())).await;
    let admin = envoy().await;
    let address = server.address.to_string();
    let pods = json!([{ "app": "item", "pod": "item-2", "up": true }]);
    let own = json!({
        "source": "envoy", "reason": "Prometheus has no metrics of Envoy",
        "apps": [], "edges": [to_user()], "pods": pods, "workers": [],
    });
    assert_eq!(map(&address, &admin.address.to_string()).await, (200, own));
    let neither = json!({
        "source": "prometheus", "reason": null, "apps": [], "edges": [], "pods": pods, "workers": [],
    });
    assert_eq!(map(&address, &nobody().await).await, (200, neither));
    admin.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn without_any_source_the_error_says_so() {
    let expected =
        json!({ "error": { "code": "UNAVAILABLE", "message": "Envoy is not reachable" } });
    assert_eq!(map(&nobody().await, &nobody().await).await, (503, expected));
}

#[tokio::test]
async fn many_viewers_cost_one_query() {
    let (server, count) = prometheus((StatusCode::OK, samples().to_string())).await;
    let flags = ["--prometheus-authority", "prometheus.test"];
    let service = start(&server.address.to_string(), &flags).await;
    let views = (0..100).map(|_| get(service.address, "/shop/mesh/data"));
    for view in futures_util::future::join_all(views).await {
        assert_eq!(view.status(), 200);
    }
    // One in each second that this takes.
    assert!(count.load(Ordering::Relaxed) < 10, "{count:?}");
    service.stop().await.unwrap();
    server.stop().await;
}
