//! The certificate that clients see. Without TLS there is none, and these metrics are absent.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{IntCounter, IntGauge, Registry};

#[derive(Clone, Debug)]
pub(crate) struct TlsMetrics {
    expiry: IntGauge,
    pub(crate) reload_failures: IntCounter,
}

impl TlsMetrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            expiry: IntGauge::new(
                "grpc_server_tls_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires, in seconds since 1970.",
            )?,
            reload_failures: IntCounter::new(
                "grpc_server_tls_reload_failures_total",
                "Changed TLS files that could not be used.",
            )?,
        };
        registry.register(Box::new(metrics.expiry.clone()))?;
        registry.register(Box::new(metrics.reload_failures.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn set_expiry(&self, expiry: SystemTime) {
        let seconds = expiry.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.expiry
            .set(i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX));
    }
}
