//! A gRPC service with a database, from opening to closing it.

use std::convert::Infallible;

use axum::response::IntoResponse;
use http::Request;
use prometheus::Registry;
use sqlx::{AnyPool, migrate::Migrator};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::{
    admin,
    config::{Aux, Listen},
    database::{self, DatabaseFlags, OpenError},
    database_url::DatabaseUrl,
    grpc::{self, Listeners},
    listen::BindError,
};

/// The flags that every gRPC service shares. The URL of the database is not here: its default differs.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    #[command(flatten)]
    pub(crate) listen: Listen,

    #[command(flatten)]
    pub(crate) aux: Aux,

    #[command(flatten)]
    pub(crate) database: DatabaseFlags,
}

impl Flags {
    /// Binds both ports.
    ///
    /// # Errors
    ///
    /// If an address is in use or not available; the error names it.
    pub async fn bind(&self) -> Result<Listeners, BindError> {
        Listeners::bind(&self.listen, &self.aux).await
    }
}

/// The parts that differ between the services.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The names of its methods.
    pub methods: &'static [&'static str],
    /// Create the tables.
    pub migrations: &'static Migrator,
    /// A statement that inserts the sample data into an empty database.
    pub sample: &'static str,
}

/// What a service is built from.
#[derive(Debug, Clone)]
pub struct Resources {
    /// The migrated database.
    pub pool: AnyPool,
    /// The metrics at `/metrics`.
    pub registry: Registry,
    /// Work that goes on when the call that began it has ended. The shutdown waits for it until the drain timeout has
    /// expired.
    pub tasks: TaskTracker,
    /// Cancelled when the service stops.
    pub stop: CancellationToken,
}

/// The service cannot start.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// A port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A bug: a metric is invalid.
    #[error("cannot register the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Opens the database, and serves until `stop` is cancelled.
///
/// # Errors
///
/// See [`ServiceError`].
pub async fn run<S>(
    definition: Definition,
    flags: &Flags,
    url: &DatabaseUrl,
    service: impl FnOnce(&Resources) -> Result<S, prometheus::Error>,
    listeners: Listeners,
    stop: CancellationToken,
) -> Result<(), ServiceError>
where
    S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    let Definition {
        methods,
        migrations,
        sample,
    } = definition;
    let opening = database::open(url, &flags.database, migrations, sample);
    let Some(pool) = stop.run_until_cancelled(opening).await.transpose()? else {
        return Ok(());
    };
    let resources = Resources {
        pool,
        registry: admin::registry()?,
        tasks: TaskTracker::new(),
        stop,
    };
    let service = service(&resources)?;
    let Resources {
        pool,
        registry,
        tasks,
        stop,
    } = resources;
    let checked = pool.clone();
    let check = move || database::ping(checked.clone());
    let drain = flags.listen.drain_timeout;
    let stopped = stop.clone();
    let drained_by = async {
        stopped.cancelled().await;
        Ok(Instant::now() + drain)
    };
    let serving = grpc::serve(service, methods, registry, check, listeners, drain, stop);
    let (drained_by, ()) = tokio::try_join!(drained_by, serving)?;
    tasks.close();
    if timeout_at(drained_by, tasks.wait()).await.is_err() {
        tracing::warn!(
            tasks = tasks.len(),
            "the drain timeout has expired: aborting tasks"
        );
    }
    pool.close().await;
    Ok(())
}
