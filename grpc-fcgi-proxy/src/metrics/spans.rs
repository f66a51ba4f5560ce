//! Spans that are sent by OTLP. Without an endpoint, these metrics are absent.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

#[derive(Clone, Debug)]
pub(crate) struct SpanMetrics {
    pub(crate) exported: IntCounter,
    /// Because the queue was full.
    pub(crate) dropped: IntCounter,
    /// Because the collector did not take them.
    pub(crate) failed: IntCounter,
}

impl SpanMetrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let total = Opts::new("otlp_spans_total", "Spans of calls by outcome.");
        let total = IntCounterVec::new(total, &["outcome"])?;
        registry.register(Box::new(total.clone()))?;
        Ok(Self {
            exported: total.get_metric_with_label_values(&["exported"])?,
            dropped: total.get_metric_with_label_values(&["dropped"])?,
            failed: total.get_metric_with_label_values(&["failed"])?,
        })
    }
}
