//! A GET request to a source of data, with a limit on the time and on the size of the answer.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::timeout;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

const TIMEOUT: Duration = Duration::from_secs(2);
/// Far more than the answer for dozens of pods.
const MAX_ANSWER: usize = 1 << 20;

/// A source has no data.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error("{0} is not reachable")]
    Unreachable(&'static str),
    #[error("{0} did not answer in time")]
    Late(&'static str),
    #[error("{0} answered with the HTTP status {1}")]
    Refused(&'static str, u16),
    #[error("{0} sent what is not its format, or more than 1 MiB")]
    Malformed(&'static str),
}

/// A server that is asked for JSON.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) channel: Channel,
}

impl Source {
    /// `query` has names and values, which are encoded.
    pub(super) async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, SourceError> {
        let pairs: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let uri = format!("{path}?{}", pairs.join("&"));
        timeout(TIMEOUT, self.body(&uri))
            .await
            .map_err(|_| SourceError::Late(self.name))?
            .and_then(|body| {
                serde_json::from_slice(&body).map_err(|_| SourceError::Malformed(self.name))
            })
    }

    async fn body(&mut self, uri: &str) -> Result<Vec<u8>, SourceError> {
        let unreachable = |_| SourceError::Unreachable(self.name);
        let request = Request::get(uri)
            .body(tonic::body::Body::empty())
            .map_err(|_| SourceError::Malformed(self.name))?;
        let channel = self.channel.ready().await.map_err(unreachable)?;
        let response = channel.call(request).await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(SourceError::Refused(self.name, response.status().as_u16()));
        }
        let body = to_bytes(Body::new(response.into_body()), MAX_ANSWER).await;
        body.map(Vec::from)
            .map_err(|_| SourceError::Malformed(self.name))
    }
}
