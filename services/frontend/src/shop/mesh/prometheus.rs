//! The map by Prometheus: everything in one query, so that all values are of the same moment.

use std::collections::BTreeMap;

use serde::Deserialize;
use tonic::transport::Channel;

use super::{
    calls::{Calls, FAILURES},
    map::{App, Edge, Map, Origin, Pod, Workers},
    source::{Source, SourceError},
};

/// The parts of the query. Each sample gets the name of its part as a label. `PEERS` stands for the labels of the calls
/// between apps, `WINDOW` for the time of their rates. What an app answers is recorded (deploy/prometheus/recording.yaml).
const PARTS: [(&str, &str); 14] = [
    ("up", "min by (app, pod) (up)"),
    ("app_errors", "app:errors:ratio_rate5m"),
    ("app_p95", "app:duration_seconds:p95_5m"),
    (
        "edge_http",
        "sum by (app, cluster) (rate(envoy_upstream_rq_xx{PEERS}[WINDOW]))",
    ),
    (
        "edge_http_failed",
        r#"sum by (app, cluster) (rate(envoy_upstream_rq_xx{class="5xx", PEERS}[WINDOW]))"#,
    ),
    (
        "edge_grpc",
        "sum by (app, cluster) (rate(envoy_grpc_responses{PEERS}[WINDOW]))",
    ),
    (
        "edge_grpc_failed",
        r#"sum by (app, cluster) (rate(envoy_grpc_responses{code=~"FAILURES", PEERS}[WINDOW]))"#,
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
/// Twelve scrapes of `script/run --observability`, six on Kubernetes.
const WINDOW: &str = "60s";

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
        let mut collected = Collected::default();
        for sample in answer.data.result {
            collected.add(sample);
        }
        Ok(collected.map())
    }
}

fn query() -> String {
    let failures = FAILURES.join("|");
    let parts = PARTS.map(|(part, expression)| {
        let expression = expression
            .replace("PEERS", PEERS)
            .replace("WINDOW", WINDOW)
            .replace("FAILURES", &failures);
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Labels {
    part: String,
    app: String,
    pod: String,
    cluster: String,
}

/// What the samples say of each app, of each edge by caller and callee, and of each pod by app and name.
#[derive(Debug, Default)]
struct Collected {
    apps: BTreeMap<String, App>,
    edges: BTreeMap<(String, String), Edge>,
    /// Per second. An edge that is known only by its pods has none.
    calls: BTreeMap<(String, String), Calls>,
    pods: BTreeMap<(String, String), Pod>,
    workers: BTreeMap<(String, String), Workers>,
}

impl Collected {
    fn add(&mut self, Sample { metric, value }: Sample) {
        let value = value.1.parse().ok().filter(|value: &f64| value.is_finite());
        let Labels {
            part,
            app,
            pod,
            cluster,
        } = metric;
        match part.as_str() {
            "up" => self.pods.entry((app, pod)).or_default().up = value == Some(1.0),
            "app_errors" => self.apps.entry(app).or_default().error_ratio = value,
            "app_p95" => self.apps.entry(app).or_default().p95_seconds = value,
            "edge_p95" => self.edge(app, cluster).p95_seconds = value,
            "edge_healthy" => self.edge(app, cluster).healthy_pods = value,
            "edge_known" => self.edge(app, cluster).known_pods = value,
            "ready" => self.workers(app, pod).ready = value,
            "streams" => self.workers(app, pod).streams = value,
            "unary" => self.workers(app, pod).unary = value,
            "waiting" => self.workers(app, pod).waiting = value,
            _ => self.add_calls(&part, (app, cluster), value),
        }
    }

    fn add_calls(&mut self, part: &str, edge: (String, String), rate: Option<f64>) {
        let Some(rate) = rate else { return };
        let calls = self.calls.entry(edge).or_default();
        match part {
            "edge_http" => calls.http = rate,
            "edge_http_failed" => calls.http_failed = rate,
            "edge_grpc" => calls.grpc = rate,
            "edge_grpc_failed" => calls.grpc_failed = rate,
            _ => {}
        }
    }

    fn edge(&mut self, app: String, cluster: String) -> &mut Edge {
        self.edges.entry((app, cluster)).or_default()
    }

    fn workers(&mut self, app: String, pod: String) -> &mut Workers {
        self.workers.entry((app, pod)).or_default()
    }

    fn map(mut self) -> Map {
        for (edge, calls) in self.calls {
            let error_ratio = calls.error_ratio(&edge.0);
            let edge = self.edges.entry(edge).or_default();
            edge.calls_per_second = Some(calls.all());
            edge.error_ratio = error_ratio;
        }
        let apps = self.apps.into_iter().map(|(app, of)| App { app, ..of });
        let edges = self.edges.into_iter();
        let edges = edges.map(|((from, to), of)| Edge { from, to, ..of });
        let pods = self.pods.into_iter();
        let pods = pods.map(|((app, pod), of)| Pod { app, pod, ..of });
        let workers = self.workers.into_iter();
        let workers = workers.map(|((app, pod), of)| Workers { app, pod, ..of });
        Map {
            source: Origin::Prometheus,
            reason: None,
            apps: apps.collect(),
            edges: edges.collect(),
            pods: pods.collect(),
            workers: workers.collect(),
        }
    }
}
