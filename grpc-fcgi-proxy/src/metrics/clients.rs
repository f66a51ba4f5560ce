//! The connections and calls of clients.

use prometheus::{IntCounter, IntGauge, Registry};

#[derive(Clone, Debug)]
pub(crate) struct ClientMetrics {
    pub(crate) connections: IntGauge,
    pub(crate) refused: IntCounter,
    pub(crate) calls: IntGauge,
    pub(crate) builtin_calls: IntGauge,
}

impl ClientMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            connections: IntGauge::new("grpc_server_connections", "Open connections of clients.")?,
            refused: IntCounter::new(
                "grpc_server_connections_refused_total",
                "Connections closed on accept because of --max-connections.",
            )?,
            calls: IntGauge::new(
                "grpc_server_calls",
                "Calls from their header fields until the client has received the response.",
            )?,
            builtin_calls: IntGauge::new(
                "grpc_server_builtin_calls",
                "The same for the services that the proxy answers itself, such as health.",
            )?,
        };
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.calls.clone()))?;
        registry.register(Box::new(metrics.builtin_calls.clone()))?;
        Ok(metrics)
    }
}
