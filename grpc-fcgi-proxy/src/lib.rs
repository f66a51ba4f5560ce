//! A gRPC server in front, FastCGI to php-fpm behind.
//!
//! The modules in the order of a call: [`server`] accepts the connection and serves HTTP on it, [`call`] takes one call
//! through its steps, [`builtin`] answers the calls that need no script, [`application`] runs the script of all others:
//! by the contract of [`binding`], over [`fastcgi`]. Beside the calls, [`config`] is every flag, [`php_fpm`] watches
//! php-fpm itself, [`metrics`] and [`telemetry`] report to the operator, [`admin`] is the auxiliary server, and
//! [`check()`] tests a configuration, and [`health()`] asks a running proxy.
//!
//! Only the items that the program, its tests, the benchmarks and the fuzz targets use are public.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the overview names every module"
)]

mod accept;
mod admin;
pub mod application;
pub mod binding;
pub mod builtin;
mod call;
mod check;
mod config;
pub mod fastcgi;
mod health;
mod load_reports;
mod lookup;
mod metrics;
mod parts;
mod php_fpm;
pub mod resident;
mod server;
mod service_manager;
mod share;
mod spans;
mod system_limits;
mod telemetry;
mod waiting;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use anyhow::Context;
use prometheus::IntCounter;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use transcoding::Schema;

use crate::builtin::descriptors::Descriptors;
pub use crate::check::run as check;
pub use crate::config::{CommandLine, Config, HealthFlags, command};
pub use crate::health::run as health;
use crate::metrics::registry::Metrics;
use crate::parts::Parts;
use crate::resident::{Residents, WorkerListener};
use crate::server::{FrontEnds, Renewal, Rest, Server, ServerLimits, Threads, Tls};
use crate::spans::{Collector, Exporter};
use crate::system_limits::OpenFiles;
pub use crate::system_limits::prepare as prepare_system_limits;
pub use crate::telemetry::{Log, init as begin_log};

/// A proxy that listens, and is ready to serve.
#[allow(
    missing_debug_implementations,
    reason = "TlsAcceptor implements no Debug, since it holds a private key"
)]
pub struct Proxy {
    config: Config,
    descriptors: Descriptors,
    schema: Arc<Schema>,
    rest: Option<Rest>,
    tls: Option<Arc<Tls>>,
    threads: Threads,
    grpc: TcpListener,
    aux: TcpListener,
    /// For resident workers, if there are any.
    workers: Option<WorkerListener>,
    /// Where spans are sent, if they are.
    collector: Option<Collector>,
    log_records_dropped: IntCounter,
}

impl Proxy {
    /// Reads the files that the configuration names, and binds both ports.
    ///
    /// # Errors
    ///
    /// If a file is invalid, a port is not available, or the system refuses a thread. No port is bound before every file has been read.
    pub async fn bind(config: Config, log: &Log) -> anyhow::Result<Self> {
        let descriptors = Descriptors::read(&config.descriptor_set)?;
        if config.reflection() {
            descriptors
                .check_imports()
                .context("cannot serve reflection; --no-reflection turns it off")?;
        }
        let schema = descriptors.schema(&config.web)?;
        let rest = Rest::new(&config.web, &schema)?;
        for script in config.routes().scripts() {
            script
                .current()
                .context("--resolve-symlinks requires the files of php-fpm under the same paths")?;
        }
        let tls = Tls::read(&config.tls, config.web.any())?;
        let collector = collector(&config)?;
        let threads = Threads::start(config.threads())
            .with_context(|| format!("cannot start {} serving threads", config.threads()))?;
        let grpc = config.address.bind().await;
        let grpc = grpc.with_context(|| format!("cannot listen on {}", config.address))?;
        let aux = config.aux_address.bind().await;
        let aux = aux.with_context(|| format!("cannot listen on {}", config.aux_address))?;
        let workers = match &config.resident.resident_workers {
            Some(_) => {
                let address = config.resident.resident_address.as_ref();
                let listener = WorkerListener::bind(address).await;
                Some(listener.context("cannot listen for resident workers")?)
            }
            None => None,
        };
        tracing::info!(
            address = %grpc.local_addr()?,
            aux_address = %aux.local_addr()?,
            tls = tls.is_some(),
            fastcgi = %config.fastcgi,
            entry_script = %config.entry_script.display(),
            "serving"
        );
        // Not refused: the clock may be wrong, and some clients check less.
        if let Some(Err(error)) = tls
            .as_ref()
            .map(|tls| tls.validity().check(SystemTime::now()))
        {
            tracing::warn!(%error, "clients will refuse the certificate");
        }
        Ok(Self {
            config,
            descriptors,
            schema: Arc::new(schema),
            rest,
            tls: tls.map(Arc::new),
            threads,
            grpc,
            aux,
            workers,
            collector,
            log_records_dropped: log.dropped(),
        })
    }

    /// Serves until `shutdown`, then drains. `reload` asks to read the files of TLS again.
    ///
    /// # Errors
    ///
    /// If a part cannot be built.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        reload: &Notify,
    ) -> anyhow::Result<()> {
        let threads = self.threads.runtimes();
        let metrics = Arc::new(Metrics::new()?);
        let (spans, exporter) = Exporter::start(self.collector, &metrics)?;
        let reports = (metrics, spans);
        let (descriptors, workers) = (self.descriptors, self.workers);
        let parts = Parts::new(&self.config, descriptors, workers, &threads, reports).await?;
        parts.admin.metrics.register(self.log_records_dropped)?;
        let targets = parts.probe.targets.current().len();
        let max_connections = max_connections(&self.config, targets);
        let draining = Arc::clone(&parts.admin);
        let drain_timeout = self.config.drain_timeout;
        let (healthy, probe) = (parts.healthy, parts.probe);
        let renewal = match &self.tls {
            Some(tls) => Some(Renewal::new(Arc::clone(tls), draining.metrics.tls()?)),
            None => None,
        };
        let renew = Notify::new();
        let renewed = follow_renewal(renewal, &renew);
        let reloaded = follow_reload(reload, &renew, parts.residents);
        let shutdown = async move {
            tokio::select! {
                () = shutdown => {}
                never = probe.follow(&healthy) => match never {},
                never = renewed => match never {},
                never = reloaded => match never {},
            }
            service_manager::stopping(drain_timeout);
            draining.draining.store(true, Ordering::Relaxed);
            healthy.send_replace(false);
            // This ends the streams of Watch.
            drop(healthy);
        };
        let front_ends = FrontEnds::new(
            &self.config.web,
            self.rest,
            self.schema,
            Arc::clone(&parts.bridge),
        );
        let limits = ServerLimits::new(&self.config, max_connections);
        let server = Server::new(parts.bridge, self.tls, front_ends, self.threads, limits);
        // The auxiliary server outlives the last call, so that the drain can be watched.
        let (stop, stopped) = oneshot::channel::<()>();
        let calls = async {
            server.run(self.grpc, shutdown).await;
            exporter.end().await;
            drop(stop);
        };
        let paths: Vec<_> = self.config.aux_scripts().collect();
        let auxiliary = admin::run(self.aux, parts.admin, paths, async {
            let _ = stopped.await;
        });
        service_manager::ready();
        tokio::select! {
            _ = async { tokio::join!(calls, auxiliary) } => Ok(()),
            never = service_manager::feed_watchdog(&threads) => match never {},
        }
    }
}

/// Where spans are sent, if they are.
fn collector(config: &Config) -> anyhow::Result<Option<Collector>> {
    let settings = config.spans().map_err(anyhow::Error::msg)?;
    settings.map(Collector::new).transpose()
}

/// How many client connections the limit on file descriptors permits. Logs a warning if they are fewer than the flags allow.
fn max_connections(config: &Config, targets: usize) -> usize {
    let files = OpenFiles::new(config, targets);
    let max_connections = files.connections();
    if files.limit < files.needed() {
        tracing::warn!(
            limit = files.limit,
            needed = files.needed(),
            max_connections,
            "the limit on file descriptors is lower than the flags need, so fewer connections are accepted"
        );
    }
    max_connections
}

/// Takes up changed files of TLS, and those that it is asked to.
async fn follow_renewal(renewal: Option<Renewal>, renew: &Notify) -> Infallible {
    match renewal {
        Some(renewal) => renewal.follow(renew).await,
        None => pending().await,
    }
}

/// Reads the files of TLS again, and replaces the resident workers, whenever it is asked to.
async fn follow_reload(
    reload: &Notify,
    renew: &Notify,
    residents: Option<Arc<Residents>>,
) -> Infallible {
    loop {
        reload.notified().await;
        service_manager::reloading();
        // Not awaited: files that cannot be used are reported in the log, and change nothing.
        renew.notify_one();
        if let Some(residents) = &residents {
            tracing::info!("replacing the resident workers");
            residents.reload();
        }
        service_manager::ready();
    }
}
