//! What the proxy itself reports to its clients.

use prometheus::{Gauge, Registry};

#[derive(Clone, Debug)]
pub(crate) struct LoadReportMetrics {
    pub(crate) utilization: Gauge,
}

impl LoadReportMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let utilization = Gauge::new(
            "load_report_utilization",
            "How much of the pool is taken on average, as load reports say unless scripts do; above 1, calls wait.",
        )?;
        registry.register(Box::new(utilization.clone()))?;
        Ok(Self { utilization })
    }
}
