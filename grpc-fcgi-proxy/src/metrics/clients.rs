//! What clients take up: connections and calls.

use prometheus::{IntCounter, IntGauge, Registry};

/// Of what clients take up.
#[derive(Clone, Debug)]
pub struct ClientMetrics {
    /// Connections that are open.
    pub connections: IntGauge,
    /// Those that were closed at once, being too many.
    pub refused: IntCounter,
    /// Calls that are in the proxy.
    pub calls: IntGauge,
}

impl ClientMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            connections: IntGauge::new(
                "grpc_server_connections",
                "Connections of clients that are open.",
            )?,
            refused: IntCounter::new(
                "grpc_server_connections_refused_total",
                "Connections that were closed at once, being over --max-connections.",
            )?,
            calls: IntGauge::new(
                "grpc_server_calls",
                "Calls that have begun and whose answer is not taken yet.",
            )?,
        };
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.calls.clone()))?;
        Ok(metrics)
    }
}
