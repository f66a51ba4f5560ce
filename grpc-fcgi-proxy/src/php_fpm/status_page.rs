//! php-fpm's status page (`pm.status_path`), which describes its pool.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::page::{self, PageError};
use crate::fastcgi::target::Target;

/// The page of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusPage {
    pub(crate) target: Target,
    pub(crate) path: String,
}

/// The fields of the page that become metrics.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct PoolStatus {
    pub(crate) pool: String,
    #[serde(rename = "start since")]
    pub(crate) start_since: u64,
    #[serde(rename = "accepted conn")]
    pub(crate) accepted_connections: u64,
    #[serde(rename = "listen queue")]
    pub(crate) listen_queue: u64,
    #[serde(rename = "max listen queue")]
    pub(crate) max_listen_queue: u64,
    #[serde(rename = "listen queue len")]
    pub(crate) listen_queue_length: u64,
    #[serde(rename = "idle processes")]
    pub(crate) idle_processes: u64,
    #[serde(rename = "active processes")]
    pub(crate) active_processes: u64,
    #[serde(rename = "total processes")]
    pub(crate) total_processes: u64,
    #[serde(rename = "max active processes")]
    pub(crate) max_active_processes: u64,
    #[serde(rename = "max children reached")]
    pub(crate) max_children_reached: u64,
    #[serde(rename = "slow requests")]
    pub(crate) slow_requests: u64,
}

/// Why the status is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusPageError {
    #[error(transparent)]
    Exchange(#[from] PageError),
    #[error("the status page answers with HTTP status {0}")]
    Http(StatusCode),
    #[error("the page is not php-fpm's status page: {0}")]
    Content(#[from] serde_json::Error),
}

impl StatusPage {
    /// Requests the page, which must answer within `time`.
    pub(crate) async fn read(&self, time: Duration) -> Result<PoolStatus, StatusPageError> {
        let answer = page::get_own(&self.target, &self.path, "json", time).await?;
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
            Target::Tcp(_) | Target::Unresolved(_) => "",
            Target::Unix(_) => ";",
        };
        write!(f, "{}{separator}{}", self.target, self.path)
    }
}
