//! The parts from which the servers are built, from the flags.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use prometheus::IntGauge;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::application::Application;
use crate::builtin::Builtin;
use crate::builtin::descriptors::Descriptors;
use crate::call::{
    Bridge, CallLimits, CallReports, Compression, NoStatusWarnings, Slots, TrustedProxies,
};
use crate::config::{Config, LoadSource};
use crate::fastcgi::pool::Pool;
use crate::fastcgi::targets::Targets;
use crate::load_reports::{LoadReports, Sampler};
use crate::metrics::registry::Metrics;
use crate::php_fpm::metrics::Scraper;
use crate::php_fpm::ping::Probe;
use crate::resident::{ResidentParts, Residents, WorkerListener};
use crate::spans::Spans;

/// The parts from which the servers are built.
pub(crate) struct Parts {
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) admin: Arc<Admin>,
    pub(crate) probe: Probe,
    pub(crate) residents: Option<Arc<Residents>>,
    /// Whether php-fpm is healthy. It counts as unhealthy until the first probe.
    pub(crate) healthy: watch::Sender<bool>,
}

impl Parts {
    pub(crate) async fn new(
        config: &Config,
        descriptors: Descriptors,
        workers: Option<WorkerListener>,
        threads: &[Handle],
        (metrics, spans): (Arc<Metrics>, Option<Spans>),
    ) -> anyhow::Result<Self> {
        let targets = Targets::follow(&config.fastcgi.endpoints).await;
        let php_fpm = scraper(config, &targets).await;
        let limits = config.fastcgi.limits(config.clients.connection_share);
        let pool = Pool::new(targets.clone(), limits, metrics.pool.clone());
        let residents = residents(config, &targets, &metrics, workers, threads.to_vec()).await?;
        let admin = Arc::new(Admin {
            pool: Arc::clone(&pool),
            residents: residents.clone(),
            metrics: Arc::clone(&metrics),
            php_fpm,
            draining: AtomicBool::new(false),
        });
        let probe = Probe {
            targets,
            ping_path: config.ping_path.clone(),
            residents: residents.clone(),
            besides: !config.resident.resident_fastcgi.is_empty(),
        };
        let (healthy, health) = watch::channel(false);
        let reports = load_reports(config, &metrics, &pool, residents.as_ref())?;
        let (builtin, kinds) =
            Builtin::new(descriptors, config.reflection(), reports.clone(), health)?;
        for (path, kind) in kinds.iter() {
            metrics.calls.declare(path, kind)?;
        }
        let clients = config.clients;
        let slots = |taken: &IntGauge| {
            Slots::new(clients.max_calls, clients.connection_share, taken.clone())
        };
        let bridge = Arc::new(Bridge {
            application: Application::new(pool, metrics.exchanges.clone(), residents.clone()),
            routes: config.routes(),
            kinds,
            builtin,
            limits: CallLimits::new(config),
            slots: slots(&metrics.clients.calls),
            builtin_slots: slots(&metrics.clients.builtin_calls),
            compression: Compression::new(config.threads()),
            require_status: config.require_status,
            no_status_warnings: NoStatusWarnings::default(),
            load_reports: CallReports {
                reports,
                limit: config.max_response_metadata_size,
            },
            metrics,
            spans,
            trusted_proxies: TrustedProxies::new(&config.tls.trusted_proxy),
            stopping: CancellationToken::new(),
        });
        Ok(Self {
            bridge,
            admin,
            probe,
            residents,
            healthy,
        })
    }
}

/// The server's load, and the task that keeps it up to date, if clients are to know it.
fn load_reports(
    config: &Config,
    metrics: &Metrics,
    pool: &Arc<Pool>,
    residents: Option<&Arc<Residents>>,
) -> anyhow::Result<Option<Arc<LoadReports>>> {
    let flags = config.load_reports;
    let Some(source) = flags.load_reports else {
        return Ok(None);
    };
    let reports = Arc::new(LoadReports::new(flags.load_report_min_interval));
    if source == LoadSource::Pool {
        let sampler = Sampler {
            reports: Arc::clone(&reports),
            pool: Arc::clone(pool),
            residents: residents.cloned(),
            metrics: metrics.load_reports()?,
        };
        tokio::spawn(sampler.follow());
    }
    Ok(Some(reports))
}

/// Starts the resident workers, if there are to be any.
async fn residents(
    config: &Config,
    targets: &Targets,
    metrics: &Metrics,
    listener: Option<WorkerListener>,
    threads: Vec<Handle>,
) -> anyhow::Result<Option<Arc<Residents>>> {
    let (Some(limits), Some(listener)) = (config.resident_limits(), listener) else {
        return Ok(None);
    };
    let targets = match config.resident.resident_fastcgi.as_slice() {
        [] => targets.clone(),
        endpoints => Targets::follow(endpoints).await,
    };
    Ok(Some(Residents::start(ResidentParts {
        scripts: config.resident_scripts(),
        excluded: config.resident.resident_exclude.clone(),
        limits,
        metrics: metrics.resident()?,
        targets,
        listener,
        threads,
    })))
}

async fn scraper(config: &Config, targets: &Targets) -> Option<Scraper> {
    let path = config.status.status_path.clone()?;
    let targets = match config.status.status_fastcgi.as_slice() {
        [] => targets.clone(),
        endpoints => Targets::follow(endpoints).await,
    };
    Some(Scraper::new(targets, path))
}
