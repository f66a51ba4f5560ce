//! The database: SQLite in a file or PostgreSQL, through one set of queries and migrations.
//!
//! Owns the URL, which may hold a password and so is never shown whole, the wait for a database
//! that is still starting, and what an error means to a client.

use std::{ffi::OsStr, fmt, path::Path, time::Duration};

use clap::builder::TypedValueParser;
use sqlx::{
    AnyConnection, AnyPool, Connection, Error as SqlError,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migrator},
};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;
use url::Url;

const MAX_CONNECTIONS: u32 = 10;
/// How long a call waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// WAL lets readers and the writer work at once; a writer waits for its turn instead of failing.
const SQLITE_SETTINGS: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;";

/// Why a database did not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// SQLite makes the file, not the folder.
    #[error("the folder of {0} does not exist: create it, or choose another --database-url")]
    NoFolder(String),
    /// It answers no, or does not answer.
    #[error("cannot open the database {url} after {waited:?}: {source}")]
    Connect {
        /// Without the password.
        url: String,
        /// How long it was tried.
        waited: Duration,
        /// The last failure.
        source: SqlError,
    },
    /// It cannot be brought to the form that this program needs.
    #[error("cannot migrate the database {url}: {source}")]
    Migrate {
        /// Without the password.
        url: String,
        /// The failure.
        source: MigrateError,
    },
    /// The sample data cannot be written.
    #[error("cannot insert the sample data: {0}")]
    Sample(SqlError),
}

/// Where the database is. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Url);

impl DatabaseUrl {
    /// # Errors
    ///
    /// Says what is expected, and never repeats the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "expected sqlite:FILE, such as sqlite:/var/lib/data.sqlite, \
                        or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        let url = Url::parse(text).map_err(|_| expected)?;
        match url.scheme() {
            "postgres" | "postgresql" => {}
            "sqlite" if sqlite_file(&url).is_empty() => return Err(expected),
            "sqlite" if is_in_memory(&url) => {
                return Err("a database in memory would not outlive the program: name a file");
            }
            "sqlite" => {}
            _ => return Err(expected),
        }
        let database = Self(url);
        AnyConnectOptions::try_from(&database).map_err(|_| expected)?;
        Ok(database)
    }

    fn folder_exists(&self) -> bool {
        if self.0.scheme() != "sqlite" {
            return true;
        }
        match Path::new(sqlite_file(&self.0)).parent() {
            None => true,
            Some(folder) => folder.as_os_str().is_empty() || folder.is_dir(),
        }
    }
}

impl TryFrom<&DatabaseUrl> for AnyConnectOptions {
    type Error = SqlError;

    fn try_from(database: &DatabaseUrl) -> Result<Self, SqlError> {
        let mut url = database.0.clone();
        if url.scheme() == "sqlite" && !url.query_pairs().any(|(name, _)| name == "mode") {
            url.query_pairs_mut().append_pair("mode", "rwc");
        }
        url.as_str().parse()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.scheme() == "sqlite" {
            return write!(f, "sqlite:{}", sqlite_file(&self.0));
        }
        // Neither the user part nor the query: either can hold a password.
        let host = self.0.host_str().unwrap_or("localhost");
        let port = self.0.port().unwrap_or(5432);
        write!(f, "postgres://{host}:{port}{}", self.0.path())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses a [`DatabaseUrl`] flag; clap's own way would repeat a wrong value, password and all.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseUrlParser;

impl TypedValueParser for DatabaseUrlParser {
    type Value = DatabaseUrl;

    fn parse_ref(
        &self,
        cmd: &clap::Command,
        _arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<DatabaseUrl, clap::Error> {
        let text = value.to_str().unwrap_or_default();
        DatabaseUrl::parse(text).map_err(|reason| {
            let message = format!("invalid value for '--database-url': {reason}\n");
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).with_cmd(cmd)
        })
    }
}

/// Flags of a service that has a database, other than its URL, whose default is the service's own.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseFlags {
    /// Insert the sample data if the database is empty
    #[arg(long, value_parser = clap::builder::BoolishValueParser::new())]
    pub sample_data: bool,

    /// How long to wait for a database that is still starting
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::config::duration)]
    pub database_wait: Duration,
}

/// Waits for the database, brings it to its newest form, and inserts the sample data if asked.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn open(
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
    let pool = AnyPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .connect_lazy_with(options);
    migrations
        .run(&pool)
        .await
        .map_err(|source| OpenError::Migrate {
            url: url.to_string(),
            source,
        })?;
    if flags.sample_data {
        let done = sqlx::query(sample)
            .execute(&pool)
            .await
            .map_err(OpenError::Sample)?;
        tracing::info!(rows = done.rows_affected(), "sample data inserted");
    }
    tracing::info!(database = %url, "database open");
    Ok(pool)
}

/// Asks the database for an answer.
///
/// # Errors
///
/// That there was none.
pub async fn ping(pool: AnyPool) -> Result<(), SqlError> {
    sqlx::query("SELECT 1").execute(&pool).await.map(drop)
}

/// What a client is told of an error; the error itself goes to the log.
pub fn failed(error: SqlError) -> Status {
    tracing::error!(%error, "database error");
    if is_unreachable(&error) {
        Status::unavailable("database not reachable")
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
                // It has answered; how the farewell goes does not matter.
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
    // invalid_catalog_name: the server is there, and its databases are still being created.
    is_unreachable(error) || code(error).is_some_and(|code| code == "3D000")
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>,
/// <https://www.sqlite.org/rescode.html>
fn is_unreachable(error: &SqlError) -> bool {
    match error {
        // sqlx says Protocol of a connection that is closed while it begins.
        SqlError::Io(_)
        | SqlError::Protocol(_)
        | SqlError::PoolTimedOut
        | SqlError::PoolClosed
        | SqlError::WorkerCrashed => true,
        error => code(error).is_some_and(|code| {
            // connection_exception, too_many_connections, shutdowns and starts; SQLITE_BUSY
            code.starts_with("08")
                || code.starts_with("57P")
                || ["53300", "5", "517"].contains(&code.as_str())
        }),
    }
}

fn code(error: &SqlError) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

fn sqlite_file(url: &Url) -> &str {
    let rest = url.as_str().trim_start_matches("sqlite:");
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    rest.split(['?', '#']).next().unwrap_or(rest)
}

fn is_in_memory(url: &Url) -> bool {
    sqlite_file(url) == ":memory:"
        || url
            .query_pairs()
            .any(|(name, value)| name == "mode" && value == "memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://me:s3cret@db:5432/users",
            "postgresql://db/users?user=me&password=s3cret",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), "postgres://db:5432/users");
            assert_eq!(format!("{url:?}"), "postgres://db:5432/users");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_and_not_repeated() {
        for text in [
            "",
            "user.sqlite",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:x?mode=memory",
            "mysql://me:s3cret@db/users",
            "postgres//me:s3cret@db/users",
        ] {
            let error = DatabaseUrl::parse(text).expect_err(text);
            assert!(!error.contains("s3cret"));
        }
    }

    #[test]
    fn sqlite_files_are_found_in_every_spelling() {
        for (text, file) in [
            ("sqlite:user.db", "user.db"),
            ("sqlite://user.db", "user.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:/var/lib/x.db?mode=rwc", "/var/lib/x.db"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(sqlite_file(&url.0), file);
        }
    }
}
