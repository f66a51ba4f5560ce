//! php-fpm's status page (`pm.status_path`): what it says of its pool.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::page::{self, WholeError};
use crate::fastcgi::target::Target;

/// The page of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPage {
    /// Where it is asked.
    pub target: Target,
    /// Its path.
    pub path: String,
}

/// What the page says, as far as it is wanted.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are php-fpm's")]
pub struct Status {
    pub pool: String,
    #[serde(rename = "start since")]
    pub start_since: u64,
    #[serde(rename = "accepted conn")]
    pub accepted_connections: u64,
    #[serde(rename = "listen queue")]
    pub listen_queue: u64,
    #[serde(rename = "max listen queue")]
    pub max_listen_queue: u64,
    #[serde(rename = "listen queue len")]
    pub listen_queue_length: u64,
    #[serde(rename = "idle processes")]
    pub idle_processes: u64,
    #[serde(rename = "active processes")]
    pub active_processes: u64,
    #[serde(rename = "total processes")]
    pub total_processes: u64,
    #[serde(rename = "max active processes")]
    pub max_active_processes: u64,
    #[serde(rename = "max children reached")]
    pub max_children_reached: u64,
    #[serde(rename = "slow requests")]
    pub slow_requests: u64,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum StatusPageError {
    /// There is no answer.
    #[error(transparent)]
    Exchange(#[from] WholeError),
    /// php-fpm has no such page.
    #[error("the status page answers with HTTP status {0}")]
    Http(StatusCode),
    /// Something else answers at this path.
    #[error("the page is not php-fpm's status page: {0}")]
    Content(#[from] serde_json::Error),
}

impl StatusPage {
    /// Asks php-fpm.
    ///
    /// # Errors
    ///
    /// If the page does not come within `time`.
    pub async fn read(&self, time: Duration) -> Result<Status, StatusPageError> {
        let params = page::page(&self.path, "json");
        let (answer, _) = page::exchange(&self.target, params, Bytes::new(), time).await?;
        match answer.status() {
            StatusCode::OK => Ok(serde_json::from_slice(answer.body())?),
            status => Err(StatusPageError::Http(status)),
        }
    }
}

/// As hipages/php-fpm_exporter names it: tcp://127.0.0.1:9001/status, unix:///run/fpm.sock;/status.
impl fmt::Display for StatusPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.target {
            Target::Tcp(_) => "",
            Target::Unix(_) => ";",
        };
        write!(f, "{}{separator}{}", self.target, self.path)
    }
}
