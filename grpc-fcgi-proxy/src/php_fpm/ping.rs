//! Follows php-fpm's health, for the health service and for `check`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_ok;
use http::StatusCode;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::page::{self, PageError};
use crate::fastcgi::target::{ConnectError, Target};
use crate::fastcgi::targets::Targets;
use crate::resident::Residents;

/// The time between two probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// The ping page needs a worker, so while all are busy it answers only when one becomes free.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Probes php-fpm, which is healthy if one of its targets is. With resident workers, each script must have one that is ready.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) targets: Targets,
    /// The pool's `ping.path`; without one, accepting a connection is healthy.
    pub(crate) ping_path: Option<String>,
    /// Their readiness is what counts, if there are any.
    pub(crate) residents: Option<Arc<Residents>>,
    /// Whether the targets count even so: the resident workers have a php-fpm of their own.
    pub(crate) besides: bool,
}

/// Why a target is unhealthy.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Ping(#[from] PingError),
    #[error("no resident worker of {0} is ready")]
    NotReady(String),
}

/// Why a ping failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PingError {
    #[error(transparent)]
    Page(#[from] PageError),
    #[error("the ping page answers with HTTP status {0}")]
    Status(StatusCode),
}

impl Probe {
    /// Probes forever, and keeps `healthy` up to date.
    pub(crate) async fn follow(&self, healthy: &watch::Sender<bool>) -> Infallible {
        let mut logged = None;
        loop {
            let result = self.probe().await;
            let is_healthy = result.is_ok();
            healthy
                .send_if_modified(|healthy| std::mem::replace(healthy, is_healthy) != is_healthy);
            let is_first = logged.is_none();
            if logged.replace(is_healthy) != Some(is_healthy) {
                match result {
                    Ok(()) => tracing::info!("php-fpm is healthy"),
                    Err(error @ ProbeError::NotReady(_)) if is_first => {
                        tracing::info!(%error, "resident workers are booting");
                    }
                    Err(error) => tracing::warn!(%error, "php-fpm is unhealthy"),
                }
            }
            sleep(PROBE_INTERVAL).await;
        }
    }

    /// Probes all targets at once; the first healthy one decides.
    async fn probe(&self) -> Result<(), ProbeError> {
        if let Some(residents) = &self.residents {
            if let Some(script) = residents.unhealthy() {
                return Err(ProbeError::NotReady(script.filename().to_owned()));
            }
            // The ping page needs a worker that is not resident, and there may be none.
            if !self.besides {
                return Ok(());
            }
        }
        let targets = self.targets.current();
        let probes = targets
            .iter()
            .map(|target| self.probe_target(target).boxed());
        select_ok(probes).await.map(|_| ())
    }

    async fn probe_target(&self, target: &Target) -> Result<(), ProbeError> {
        match &self.ping_path {
            Some(path) => ping(target, path, PING_TIMEOUT).await?,
            None => {
                target.connect(Instant::now()).await?;
            }
        }
        Ok(())
    }
}

/// Requests the ping page.
pub(crate) async fn ping(target: &Target, path: &str, time: Duration) -> Result<(), PingError> {
    match page::get_own(target, path, "", time).await?.status() {
        StatusCode::OK => Ok(()),
        status => Err(PingError::Status(status)),
    }
}
