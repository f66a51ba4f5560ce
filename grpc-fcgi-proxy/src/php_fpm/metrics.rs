//! The `phpfpm_` metrics: what php-fpm's status page says at the moment in which `/metrics` is asked.
//!
//! Names, types and labels are those of hipages/php-fpm_exporter, so that its dashboards work. Those of single
//! processes are left out: their number has no bound.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::php_fpm::status_page::{Status, StatusPage};

/// A page that takes longer is down, for now.
const TIMEOUT: Duration = Duration::from_secs(1);
const LABELS: [&str; 2] = ["pool", "scrape_uri"];

/// Asks the status pages.
#[derive(Debug)]
pub struct Scraper {
    pages: Vec<Page>,
}

#[derive(Debug)]
struct Page {
    page: StatusPage,
    uri: String,
    seen: Mutex<Seen>,
}

/// What outlives a scrape.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The name of the pool: a page that is down does not tell it.
    pool: String,
    failures: u64,
    up: Option<bool>,
}

/// A family with a value from the status page.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    value: fn(&Status) -> u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

const fn family(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    value: fn(&Status) -> u64,
) -> Family {
    Family {
        name,
        help,
        kind,
        value,
    }
}

const FAMILIES: [Family; 11] = [
    family(
        Kind::Counter,
        "phpfpm_start_since",
        "Seconds since php-fpm has started.",
        |status| status.start_since,
    ),
    family(
        Kind::Counter,
        "phpfpm_accepted_connections",
        "Requests that the pool has accepted.",
        |status| status.accepted_connections,
    ),
    family(
        Kind::Gauge,
        "phpfpm_listen_queue",
        "Requests in the queue of pending connections.",
        |status| status.listen_queue,
    ),
    family(
        Kind::Counter,
        "phpfpm_max_listen_queue",
        "The most requests in the queue of pending connections since php-fpm has started.",
        |status| status.max_listen_queue,
    ),
    family(
        Kind::Gauge,
        "phpfpm_listen_queue_length",
        "The size of the queue of pending connections.",
        |status| status.listen_queue_length,
    ),
    family(
        Kind::Gauge,
        "phpfpm_idle_processes",
        "Idle processes.",
        |status| status.idle_processes,
    ),
    family(
        Kind::Gauge,
        "phpfpm_active_processes",
        "Active processes.",
        |status| status.active_processes,
    ),
    family(
        Kind::Gauge,
        "phpfpm_total_processes",
        "Idle and active processes.",
        |status| status.total_processes,
    ),
    family(
        Kind::Counter,
        "phpfpm_max_active_processes",
        "The most active processes since php-fpm has started.",
        |status| status.max_active_processes,
    ),
    family(
        Kind::Counter,
        "phpfpm_max_children_reached",
        "How often the limit of processes was reached when more were wanted (pm = dynamic and ondemand only).",
        |status| status.max_children_reached,
    ),
    family(
        Kind::Counter,
        "phpfpm_slow_requests",
        "Requests that took longer than request_slowlog_timeout.",
        |status| status.slow_requests,
    ),
];

/// What one page gave.
struct Scrape<'a> {
    uri: &'a str,
    seen: Seen,
    status: Option<Status>,
}

impl Scraper {
    /// Of these pages; without any there are no such metrics.
    #[must_use]
    pub fn new(pages: Vec<StatusPage>) -> Self {
        let pages = pages.into_iter().map(|page| Page {
            uri: page.to_string(),
            page,
            seen: Mutex::default(),
        });
        Self {
            pages: pages.collect(),
        }
    }

    /// Asks all pages at once, and gives their metrics in Prometheus' text format. A page that does not answer is
    /// down, which is no error.
    ///
    /// # Errors
    ///
    /// If a metric can't be written.
    pub async fn render(&self) -> prometheus::Result<String> {
        let scrapes = join_all(self.pages.iter().map(Page::scrape)).await;
        let registry = Registry::new();
        register_reachability(&registry, &scrapes)?;
        for family in &FAMILIES {
            family.register(&registry, &scrapes)?;
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Page {
    async fn scrape(&self) -> Scrape<'_> {
        let result = self.page.read(TIMEOUT).await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let was_up = seen.up.replace(result.is_ok());
        match &result {
            Ok(status) => seen.pool.clone_from(&status.pool),
            Err(error) => {
                seen.failures += 1;
                if was_up != Some(false) {
                    tracing::warn!(%error, page = self.uri, "no answer from php-fpm's status page");
                }
            }
        }
        Scrape {
            uri: &self.uri,
            seen: seen.clone(),
            status: result.ok(),
        }
    }
}

impl Scrape<'_> {
    fn labels(&self) -> [&str; 2] {
        [&self.seen.pool, self.uri]
    }
}

fn register_reachability(registry: &Registry, scrapes: &[Scrape<'_>]) -> prometheus::Result<()> {
    let up = Opts::new("phpfpm_up", "Whether php-fpm's status page answers.");
    let up = IntGaugeVec::new(up, &LABELS)?;
    let failures = Opts::new(
        "phpfpm_scrape_failures",
        "How often php-fpm's status page did not answer.",
    );
    let failures = IntCounterVec::new(failures, &LABELS)?;
    for scrape in scrapes {
        let labels = scrape.labels();
        up.with_label_values(&labels)
            .set(scrape.status.is_some().into());
        failures
            .with_label_values(&labels)
            .inc_by(scrape.seen.failures);
    }
    registry.register(Box::new(up))?;
    registry.register(Box::new(failures))
}

impl Family {
    fn register(&self, registry: &Registry, scrapes: &[Scrape<'_>]) -> prometheus::Result<()> {
        let opts = Opts::new(self.name, self.help);
        let values = scrapes.iter().filter_map(|scrape| {
            let status = scrape.status.as_ref()?;
            Some((scrape.labels(), (self.value)(status)))
        });
        match self.kind {
            Kind::Counter => {
                let counter = IntCounterVec::new(opts, &LABELS)?;
                values.for_each(|(labels, value)| counter.with_label_values(&labels).inc_by(value));
                registry.register(Box::new(counter))
            }
            Kind::Gauge => {
                let gauge = IntGaugeVec::new(opts, &LABELS)?;
                values.for_each(|(labels, value)| {
                    gauge
                        .with_label_values(&labels)
                        .set(i64::try_from(value).unwrap_or(i64::MAX));
                });
                registry.register(Box::new(gauge))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_page_there_are_no_metrics() {
        assert_eq!(Scraper::new(Vec::new()).render().await.unwrap(), "");
    }
}
