//! The `phpfpm_` metrics: php-fpm's status page at the time of a scrape of `/metrics`.
//!
//! Names, types and labels are those of hipages/php-fpm_exporter, so that its dashboards work. Its metrics of single
//! processes are omitted, since their number has no bound.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::status_page::{PoolStatus, StatusPage};
use crate::fastcgi::targets::Targets;

/// A page that takes longer counts as down in this scrape.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(1);
const LABELS: [&str; 2] = ["pool", "scrape_uri"];

/// Scrapes the status pages of some targets.
#[derive(Debug)]
pub(crate) struct Scraper {
    targets: Targets,
    path: String,
    seen: Mutex<HashMap<String, Seen>>,
}

/// The state of a page that one scrape passes to the next.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The label of a page that is down, which cannot report its pool's name.
    pool: String,
    failures: u64,
    up: Option<bool>,
}

/// A metric family, and its value in a status page.
struct PageFamily {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    value: fn(&PoolStatus) -> u64,
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
    value: fn(&PoolStatus) -> u64,
) -> PageFamily {
    PageFamily {
        name,
        help,
        kind,
        value,
    }
}

const FAMILIES: [PageFamily; 11] = [
    family(
        Kind::Counter,
        "phpfpm_start_since",
        "Seconds since php-fpm started.",
        |status| status.start_since,
    ),
    family(
        Kind::Counter,
        "phpfpm_accepted_connections",
        "Requests that the pool accepted.",
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
        "The maximum number of requests in the queue of pending connections since php-fpm started.",
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
        "The maximum number of active processes since php-fpm started.",
        |status| status.max_active_processes,
    ),
    family(
        Kind::Counter,
        "phpfpm_max_children_reached",
        "How often the process limit was reached when php-fpm tried to start more (pm = dynamic and ondemand only).",
        |status| status.max_children_reached,
    ),
    family(
        Kind::Counter,
        "phpfpm_slow_requests",
        "Requests that took longer than request_slowlog_timeout.",
        |status| status.slow_requests,
    ),
];

/// The result of scraping one page.
struct Scrape {
    uri: String,
    seen: Seen,
    status: Option<PoolStatus>,
}

impl Scraper {
    pub(crate) fn new(targets: Targets, path: String) -> Self {
        Self {
            targets,
            path,
            seen: Mutex::default(),
        }
    }

    /// Scrapes all pages at once, and returns their metrics in Prometheus' text format. A page that does not answer is
    /// `phpfpm_up` 0, not an error.
    pub(crate) async fn render(&self) -> prometheus::Result<String> {
        let pages = self.targets.current().into_iter().map(|target| StatusPage {
            target,
            path: self.path.clone(),
        });
        let scrapes = join_all(pages.map(|page| self.scrape(page))).await;
        // The addresses of a name change.
        let scraped = |uri: &String| scrapes.iter().any(|scrape| scrape.uri == *uri);
        self.seen().retain(|uri, _| scraped(uri));
        let registry = Registry::new();
        register_reachability(&registry, &scrapes)?;
        for family in &FAMILIES {
            family.register(&registry, &scrapes)?;
        }
        TextEncoder::new().encode_to_string(&registry.gather())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn scrape(&self, page: StatusPage) -> Scrape {
        let uri = page.to_string();
        let result = page.read(SCRAPE_TIMEOUT).await;
        let mut all_seen = self.seen();
        let seen = all_seen.entry(uri.clone()).or_default();
        let was_up = seen.up.replace(result.is_ok());
        match &result {
            Ok(status) => seen.pool.clone_from(&status.pool),
            Err(error) => {
                seen.failures += 1;
                if was_up != Some(false) {
                    tracing::warn!(%error, page = uri, "php-fpm's status page does not answer");
                }
            }
        }
        Scrape {
            uri,
            seen: seen.clone(),
            status: result.ok(),
        }
    }
}

impl Scrape {
    fn labels(&self) -> [&str; 2] {
        [&self.seen.pool, &self.uri]
    }
}

fn register_reachability(registry: &Registry, scrapes: &[Scrape]) -> prometheus::Result<()> {
    let up = Opts::new("phpfpm_up", "Whether php-fpm's status page answers.");
    let up = IntGaugeVec::new(up, &LABELS)?;
    let failures = Opts::new(
        "phpfpm_scrape_failures",
        "Scrapes of php-fpm's status page that failed.",
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

impl PageFamily {
    fn register(&self, registry: &Registry, scrapes: &[Scrape]) -> prometheus::Result<()> {
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
