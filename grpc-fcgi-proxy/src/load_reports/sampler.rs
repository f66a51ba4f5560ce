//! Reads how full the pool is, now and then: averages cost a call nothing but its own count.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::LoadReports;
use crate::fastcgi::pool::Pool;
use crate::metrics::load_reports::LoadReportMetrics;
use crate::resident::Residents;

/// Between two samples.
const PERIOD: Duration = Duration::from_millis(100);

/// The source of the proxy's own figures.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(crate) reports: Arc<LoadReports>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) residents: Option<Arc<Residents>>,
    pub(crate) metrics: LoadReportMetrics,
}

impl Sampler {
    /// Keeps the figures up to date, for ever.
    pub(crate) async fn follow(self) -> Infallible {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            let now = ticks.tick().await;
            self.sample(now.saturating_duration_since(last));
            last = now;
        }
    }

    fn sample(&self, since: Duration) {
        let reports = &self.reports;
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let calls = count(reports.calls.swap(0, Ordering::Relaxed));
        let errors = count(reports.errors.swap(0, Ordering::Relaxed));
        let utilization = self.utilization();
        let average = reports.sample(utilization, calls, errors, since);
        self.metrics.utilization.set(average);
    }

    /// That of the fullest part: the calls of a script whose workers are all busy wait, whatever else is free.
    fn utilization(&self) -> f64 {
        let residents = self.residents.as_ref();
        let residents = residents.map_or(0.0, |residents| residents.utilization());
        self.pool.utilization().max(residents)
    }
}
