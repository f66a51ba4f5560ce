//! The places, connections and targets of the pool.

use std::fmt::Display;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::histogram::histogram;

#[derive(Clone, Debug)]
pub(crate) struct PoolMetrics {
    pub(crate) waiting: IntGauge,
    pub(crate) running: IntGauge,
    pub(crate) abandoned: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) sent: IntCounter,
    pub(crate) received: IntCounter,
    pub(crate) wait_seconds: Histogram,
    targets: IntGaugeVec,
}

impl PoolMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let bytes = IntCounterVec::new(
            Opts::new(
                "fcgi_bytes_total",
                "Bytes of FastCGI sent to and received from php-fpm for calls.",
            ),
            &["direction"],
        )?;
        let targets = IntGaugeVec::new(
            Opts::new(
                "fcgi_target_up",
                "Whether a php-fpm receives calls (1), or is out of rotation until it is reachable (0).",
            ),
            &["target"],
        )?;
        let wait_seconds = histogram(
            "fcgi_wait_seconds",
            "Seconds from a call's request for a connection to php-fpm until it has one.",
        )?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(targets.clone()))?;
        registry.register(Box::new(wait_seconds.clone()))?;
        Ok(Self {
            waiting: gauge(
                "fcgi_calls_waiting",
                "Calls that wait for a place at php-fpm.",
            )?,
            running: gauge(
                "fcgi_exchanges_running",
                "Running exchanges with php-fpm, including abandoned ones.",
            )?,
            abandoned: gauge(
                "fcgi_exchanges_abandoned",
                "Exchanges that have ended for the client while a php-fpm worker is still busy with them.",
            )?,
            connections: gauge(
                "fcgi_connections_open",
                "Open connections to php-fpm for calls.",
            )?,
            sent: bytes.get_metric_with_label_values(&["sent"])?,
            received: bytes.get_metric_with_label_values(&["received"])?,
            wait_seconds,
            targets,
        })
    }

    /// 1 while the target receives calls.
    pub(crate) fn target_up(&self, target: &impl Display) -> IntGauge {
        self.targets.with_label_values(&[&target.to_string()])
    }

    /// The addresses of a name change, and labels must not grow with them.
    pub(crate) fn forget_target(&self, target: &impl Display) {
        // It may have had none.
        let _ = self.targets.remove_label_values(&[&target.to_string()]);
    }
}
