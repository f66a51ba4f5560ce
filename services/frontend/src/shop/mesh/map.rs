//! The map, as the page reads it. A value that is not known is `null`.

use serde::Serialize;

/// The whole map. Lists are sorted.
#[derive(Debug, Default, Serialize)]
pub(super) struct Map {
    pub(super) source: Origin,
    /// Why it is not Prometheus.
    pub(super) reason: Option<String>,
    pub(super) apps: Vec<App>,
    pub(super) edges: Vec<Edge>,
    pub(super) pods: Vec<Pod>,
    pub(super) workers: Vec<Workers>,
}

/// Who knows the edges: Prometheus, of all pods; or the Envoy of this pod, of its own calls.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    #[default]
    Prometheus,
    Envoy,
}

/// What the pods of an app answered in the last five minutes.
#[derive(Debug, Default, Serialize)]
pub(super) struct App {
    pub(super) app: String,
    /// The fraction that failed on the server's side, from 0 to 1.
    pub(super) error_ratio: Option<f64>,
    pub(super) p95_seconds: Option<f64>,
}

/// The calls of one app to another, averages of at most the last minute, as the callers' Envoys see them. A stream counts as
/// one call, and its time when it has ended.
#[derive(Debug, Default, Serialize)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) calls_per_second: Option<f64>,
    /// The fraction that failed on the server's side, from 0 to 1.
    pub(super) error_ratio: Option<f64>,
    pub(super) p95_seconds: Option<f64>,
    /// Pods of the callee that pass the health check.
    pub(super) healthy_pods: Option<f64>,
    pub(super) known_pods: Option<f64>,
}

/// A pod.
#[derive(Debug, Default, Serialize)]
pub(super) struct Pod {
    pub(super) app: String,
    pub(super) pod: String,
    /// Whether Prometheus reaches it.
    pub(super) up: bool,
}

/// The resident workers of a pod, and the calls in them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Workers {
    pub(super) app: String,
    pub(super) pod: String,
    pub(super) ready: Option<f64>,
    pub(super) streams: Option<f64>,
    pub(super) unary: Option<f64>,
    pub(super) waiting: Option<f64>,
}
