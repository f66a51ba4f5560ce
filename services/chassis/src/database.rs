//! The database: SQLite in a file or PostgreSQL, through one set of queries and migrations.
//!
//! Waits for a database that is still starting, and maps its errors to statuses. Its address is in
//! [`crate::database_url`].

use std::time::Duration;

use sqlx::{
    AnyConnection, AnyPool, Connection, Error as SqlError,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migrator},
};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;

use crate::database_url::DatabaseUrl;

const MAX_CONNECTIONS: u32 = 10;
/// How long a call waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// WAL lets readers and one writer work concurrently; the timeout makes other writers wait instead of failing.
const SQLITE_SETTINGS: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;";

/// The database cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder is missing: SQLite creates only the file.
    #[error("the folder of {0} does not exist: create it, or choose another --database-url")]
    NoFolder(String),
    /// The database refuses connections, or is unreachable.
    #[error("cannot open the database {url} after {waited:?}: {source}")]
    Connect {
        /// The URL without the password.
        url: String,
        /// The time spent waiting.
        waited: Duration,
        /// The last error.
        source: SqlError,
    },
    /// A migration failed.
    #[error("cannot migrate the database {url}: {source}")]
    Migrate {
        /// The URL without the password.
        url: String,
        /// The error.
        source: MigrateError,
    },
    /// The sample data cannot be inserted.
    #[error("cannot insert the sample data: {0}")]
    Sample(SqlError),
}

/// The flags of a database. Its URL is not here: each service has its own default.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DatabaseFlags {
    /// Insert the sample data if the database is empty
    #[arg(long, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) sample_data: bool,

    /// How long to wait for a database that is still starting
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::config::duration)]
    pub(crate) database_wait: Duration,
}

/// Waits for the database, runs the migrations, and inserts the sample data if the flags ask for it.
pub(crate) async fn open(
    url: &DatabaseUrl,
    flags: &DatabaseFlags,
    migrations: &Migrator,
    sample: &'static str,
) -> Result<AnyPool, OpenError> {
    install_default_drivers();
    if !url.folder_exists() {
        return Err(OpenError::NoFolder(url.to_string()));
    }
    let options = wait(url, flags.database_wait).await?;
    // A disk that is busy, as after a build, may take longer than a call may wait.
    let first = pool(options.clone(), flags.database_wait);
    migrations
        .run(&first)
        .await
        .map_err(|source| OpenError::Migrate {
            url: url.to_string(),
            source,
        })?;
    if flags.sample_data {
        let done = sqlx::query(sample)
            .execute(&first)
            .await
            .map_err(OpenError::Sample)?;
        tracing::info!(rows = done.rows_affected(), "sample data inserted");
    }
    first.close().await;
    tracing::info!(database = %url, "database open");
    Ok(pool(options, ACQUIRE_TIMEOUT))
}

fn pool(options: AnyConnectOptions, acquire_timeout: Duration) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(acquire_timeout)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .connect_lazy_with(options)
}

/// Checks whether the database responds.
pub(crate) async fn ping(pool: AnyPool) -> Result<(), SqlError> {
    sqlx::query("SELECT 1").execute(&pool).await.map(drop)
}

/// Maps an error to a status with fixed text, and logs the error.
pub fn query_failed(error: SqlError) -> Status {
    tracing::error!(%error, "database error");
    if is_unreachable(&error) {
        Status::unavailable("database unreachable")
    } else {
        Status::internal("database error")
    }
}

async fn wait(url: &DatabaseUrl, time: Duration) -> Result<AnyConnectOptions, OpenError> {
    let started = Instant::now();
    let options = AnyConnectOptions::try_from(url);
    let failure = |source| OpenError::Connect {
        url: url.to_string(),
        waited: started.elapsed(),
        source,
    };
    let options = options.map_err(failure)?;
    loop {
        let attempt = timeout_at(started + time, AnyConnection::connect_with(&options)).await;
        let error = match attempt.unwrap_or(Err(SqlError::PoolTimedOut)) {
            Ok(connection) => {
                // The database is up; a failure to close does not matter.
                let _ = connection.close().await;
                return Ok(options);
            }
            Err(error) => error,
        };
        if !is_starting(&error) || started.elapsed() + RETRY_PAUSE >= time {
            return Err(failure(error));
        }
        tracing::warn!(database = %url, %error, "waiting for the database");
        sleep(RETRY_PAUSE).await;
    }
}

async fn prepare(connection: &mut AnyConnection) -> Result<(), SqlError> {
    if connection.backend_name() == "SQLite" {
        sqlx::raw_sql(SQLITE_SETTINGS).execute(connection).await?;
    }
    Ok(())
}

fn is_starting(error: &SqlError) -> bool {
    // invalid_catalog_name: the server is up, and its databases are still being created.
    is_unreachable(error) || code(error).is_some_and(|code| code == "3D000")
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>,
/// <https://www.sqlite.org/rescode.html>
fn is_unreachable(error: &SqlError) -> bool {
    match error {
        // sqlx reports a connection that is closed during the handshake as Protocol.
        SqlError::Io(_)
        | SqlError::Protocol(_)
        | SqlError::PoolTimedOut
        | SqlError::PoolClosed
        | SqlError::WorkerCrashed => true,
        error => code(error).is_some_and(|code| {
            // connection_exception, too_many_connections, shutdown and startup; SQLITE_BUSY
            code.starts_with("08")
                || code.starts_with("57P")
                || ["53300", "5", "517"].contains(&code.as_str())
        }),
    }
}

fn code(error: &SqlError) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
