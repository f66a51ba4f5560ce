//! What exchanges with php-fpm count.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, Opts, Registry};

use super::histogram;

/// Of exchanges with php-fpm.
#[derive(Clone, Debug)]
pub struct ExchangeMetrics {
    complete: IntCounter,
    failed: IntCounter,
    abandoned: IntCounter,
    seconds: Histogram,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With its answer.
    Complete,
    /// Without one, or with one that is none.
    Failed,
    /// Nobody waited for its answer any more.
    Abandoned,
}

impl ExchangeMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let total = IntCounterVec::new(
            Opts::new(
                "fcgi_exchanges_total",
                "Exchanges with php-fpm by how they ended.",
            ),
            &["outcome"],
        )?;
        let seconds = histogram(
            "fcgi_exchange_seconds",
            "Seconds that exchanges with php-fpm have taken.",
        )?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(total.clone()))?;
        Ok(Self {
            complete: total.get_metric_with_label_values(&["complete"])?,
            failed: total.get_metric_with_label_values(&["failed"])?,
            abandoned: total.get_metric_with_label_values(&["abandoned"])?,
            seconds,
        })
    }

    /// Counts one that took so long, from its connection to its end.
    pub fn ended(&self, outcome: Outcome, time: Duration) {
        let total = match outcome {
            Outcome::Complete => &self.complete,
            Outcome::Failed => &self.failed,
            Outcome::Abandoned => &self.abandoned,
        };
        total.inc();
        self.seconds.observe(time.as_secs_f64());
    }
}
