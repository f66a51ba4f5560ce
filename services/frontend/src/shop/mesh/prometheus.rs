//! The map by Prometheus: everything in one query, so that all values are of the same moment.

use std::collections::BTreeMap;

use serde::Deserialize;
use tonic::transport::Channel;

use super::{
    map::{App, Edge, Map, Origin, Pod, Workers, ratio},
    source::{Source, SourceError},
};

/// Of the rates of edges. Twelve scrapes of `script/run --observability`, six on Kubernetes.
const WINDOW_SECONDS: u32 = 60;

/// The parts of the query. Each sample gets the name of its part as a label. `PEERS` stands for the labels of the calls
/// between apps. What an app answers is recorded (deploy/prometheus/recording.yaml).
const PARTS: [(&str, &str); 13] = [
    ("up", "min by (app, pod) (up)"),
    ("app_calls", "app:requests:rate5m"),
    ("app_errors", "app:errors:ratio_rate5m"),
    ("app_p95", "app:duration_seconds:p95_5m"),
    (
        "edge_calls",
        "sum by (app, cluster) (rate(envoy_upstream_rq_total{PEERS}[WINDOW]))",
    ),
    (
        "edge_errors",
        r#"sum by (app, cluster) (rate(envoy_upstream_rq_xx{class="5xx", PEERS}[WINDOW]))"#,
    ),
    (
        "edge_p95",
        "histogram_quantile(0.95, sum by (app, cluster, le) (rate(envoy_upstream_rq_time_bucket{PEERS}[WINDOW])))",
    ),
    (
        "edge_healthy",
        "min by (app, cluster) (envoy_membership_healthy{PEERS})",
    ),
    (
        "edge_known",
        "max by (app, cluster) (envoy_membership_total{PEERS})",
    ),
    (
        "ready",
        r#"sum by (app, pod) (resident_workers{state="ready"})"#,
    ),
    (
        "streams",
        r#"sum by (app, pod) (resident_calls_running{kind="stream"})"#,
    ),
    (
        "unary",
        r#"sum by (app, pod) (resident_calls_running{kind="unary"})"#,
    ),
    ("waiting", "sum by (app, pod) (resident_calls_waiting)"),
];
/// Not calls between apps: a pod's own program, spans, and this query.
const PEERS: &str = r#"cluster!~"local_.*|jaeger|prometheus""#;

#[derive(Debug)]
pub(super) struct Prometheus {
    source: Source,
    query: String,
}

impl Prometheus {
    pub(super) fn new(channel: Channel) -> Self {
        let name = "Prometheus";
        Self {
            source: Source { name, channel },
            query: query(),
        }
    }

    pub(super) async fn map(&mut self) -> Result<Map, SourceError> {
        let query = [("query", self.query.as_str())];
        let answer: Answer = self.source.get("/api/v1/query", &query).await?;
        Ok(map(answer.data.result))
    }
}

fn query() -> String {
    let window = format!("{WINDOW_SECONDS}s");
    let parts = PARTS.map(|(part, expression)| {
        let expression = expression
            .replace("PEERS", PEERS)
            .replace("WINDOW", &window);
        format!(r#"label_replace({expression}, "part", "{part}", "", "")"#)
    });
    parts.join(" or ")
}

/// The response of Prometheus' HTTP API to an instant query.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    result: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    metric: Labels,
    /// The time, and the value as text: it may be NaN.
    value: (f64, String),
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Labels {
    part: String,
    app: String,
    pod: String,
    cluster: String,
}

fn map(samples: Vec<Sample>) -> Map {
    let mut apps: BTreeMap<String, App> = BTreeMap::new();
    let mut edges: BTreeMap<(String, String), Edge> = BTreeMap::new();
    let mut pods: BTreeMap<(String, String), Pod> = BTreeMap::new();
    let mut workers: BTreeMap<(String, String), Workers> = BTreeMap::new();
    for Sample { metric, value } in samples {
        let value = value.1.parse().ok().filter(|value: &f64| value.is_finite());
        let Labels {
            part,
            app,
            pod,
            cluster,
        } = metric;
        match part.as_str() {
            "up" => pods.entry((app, pod)).or_default().up = value == Some(1.0),
            "app_calls" => apps.entry(app).or_default().calls_per_second = value,
            "app_errors" => apps.entry(app).or_default().error_ratio = value,
            "app_p95" => apps.entry(app).or_default().p95_seconds = value,
            "edge_calls" => edges.entry((app, cluster)).or_default().calls_per_second = value,
            // Failures per second, until the calls are known.
            "edge_errors" => edges.entry((app, cluster)).or_default().error_ratio = value,
            "edge_p95" => edges.entry((app, cluster)).or_default().p95_seconds = value,
            "edge_healthy" => edges.entry((app, cluster)).or_default().healthy_pods = value,
            "edge_known" => edges.entry((app, cluster)).or_default().known_pods = value,
            "ready" => workers.entry((app, pod)).or_default().ready = value,
            "streams" => workers.entry((app, pod)).or_default().streams = value,
            "unary" => workers.entry((app, pod)).or_default().unary = value,
            "waiting" => workers.entry((app, pod)).or_default().waiting = value,
            _ => {}
        }
    }
    for edge in edges.values_mut() {
        edge.error_ratio = ratio(edge.error_ratio, edge.calls_per_second);
    }
    let apps = apps.into_iter().map(|(app, of)| App { app, ..of });
    let edges = edges
        .into_iter()
        .map(|((from, to), of)| Edge { from, to, ..of });
    let pods = pods
        .into_iter()
        .map(|((app, pod), of)| Pod { app, pod, ..of });
    let workers = workers
        .into_iter()
        .map(|((app, pod), of)| Workers { app, pod, ..of });
    Map {
        source: Origin::Prometheus,
        reason: None,
        window_seconds: WINDOW_SECONDS,
        apps: apps.collect(),
        edges: edges.collect(),
        pods: pods.collect(),
        workers: workers.collect(),
    }
}
