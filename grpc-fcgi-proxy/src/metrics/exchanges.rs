//! Exchanges with php-fpm, and calls of resident workers, by how they ended.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, Opts, Registry};

use super::histogram::histogram;

#[derive(Clone, Debug)]
pub(crate) struct ExchangeMetrics {
    complete: IntCounter,
    failed: IntCounter,
    abandoned: IntCounter,
    seconds: Histogram,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeEnd {
    /// With an answer.
    Complete,
    /// Without an answer, or with a malformed one. So does a streaming call whose deadline expires.
    Failed,
    /// The client went away, or the deadline of a unary call expired.
    Abandoned,
}

impl ExchangeMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let total = Opts::new("fcgi_exchanges_total", "Exchanges with php-fpm by outcome.");
        let seconds = histogram(
            "fcgi_exchange_seconds",
            "Seconds that exchanges with php-fpm took.",
        )?;
        Self::register_as(registry, total, seconds)
    }

    pub(super) fn register_resident(registry: &Registry) -> prometheus::Result<Self> {
        let total = Opts::new(
            "resident_calls_total",
            "Calls of resident workers by outcome.",
        );
        let seconds = histogram(
            "resident_call_seconds",
            "Seconds that calls of resident workers took, including those in the queue.",
        )?;
        Self::register_as(registry, total, seconds)
    }

    fn register_as(
        registry: &Registry,
        total: Opts,
        seconds: Histogram,
    ) -> prometheus::Result<Self> {
        let total = IntCounterVec::new(total, &["outcome"])?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(total.clone()))?;
        Ok(Self {
            complete: total.get_metric_with_label_values(&["complete"])?,
            failed: total.get_metric_with_label_values(&["failed"])?,
            abandoned: total.get_metric_with_label_values(&["abandoned"])?,
            seconds,
        })
    }

    /// Counts an exchange and its duration.
    pub(crate) fn ended(&self, end: ExchangeEnd, time: Duration) {
        let total = match end {
            ExchangeEnd::Complete => &self.complete,
            ExchangeEnd::Failed => &self.failed,
            ExchangeEnd::Abandoned => &self.abandoned,
        };
        total.inc();
        self.seconds.observe(time.as_secs_f64());
    }
}
