//! A gRPC service that keeps its data in SQL, from opening the database to closing it.

use std::convert::Infallible;

use axum::response::IntoResponse;
use http::Request;
use sqlx::{AnyPool, migrate::Migrator};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::{
    config::{Aux, Listen},
    database::{self, DatabaseFlags, OpenError},
    database_url::DatabaseUrl,
    grpc::{self, Listeners},
    listen::BindError,
};

/// The flags of every such service, other than the database's URL, whose default differs.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Where it listens.
    #[command(flatten)]
    pub(crate) listen: Listen,

    /// Where it is watched.
    #[command(flatten)]
    pub(crate) aux: Aux,

    /// How its database is opened.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,
}

impl Flags {
    /// Binds both ports.
    ///
    /// # Errors
    ///
    /// Names the address that cannot be had.
    pub async fn bind(&self) -> Result<Listeners, BindError> {
        Listeners::bind(&self.listen, &self.aux).await
    }
}

/// What is different in each of them.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The names of the methods.
    pub methods: &'static [&'static str],
    /// Make the tables.
    pub migrations: &'static Migrator,
    /// One statement that inserts the sample data where there is no data.
    pub sample: &'static str,
}

/// Why the service ended, or never began.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The database cannot be had.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A mistake in the program.
    #[error("cannot register the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Opens the database and serves, until told to stop.
///
/// # Errors
///
/// See [`ServiceError`].
pub async fn run<S>(
    definition: Definition,
    flags: &Flags,
    url: &DatabaseUrl,
    service: impl FnOnce(AnyPool) -> S,
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
    let checked = pool.clone();
    let check = move || database::ping(checked.clone());
    let drain = flags.listen.drain_timeout;
    grpc::serve(
        service(pool.clone()),
        methods,
        check,
        listeners,
        drain,
        stop,
    )
    .await?;
    pool.close().await;
    Ok(())
}
