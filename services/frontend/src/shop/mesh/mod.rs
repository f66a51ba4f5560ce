//! The map of the application: pods, the calls of each edge, and the resident workers of item.
//!
//! Prometheus knows all of it (`prometheus`). Without Prometheus, or if Envoy's metrics do not reach it, the Envoy of this
//! pod knows the calls that it carries itself (`envoy`). One answer serves all viewers of a second.

mod calls;
mod envoy;
mod map;
mod prometheus;
mod source;

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::{StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use tokio::{sync::Mutex, time::Instant};

use crate::http::refused;

use self::{envoy::Envoy, map::Map, prometheus::Prometheus, source::SourceError};

/// How long an answer serves all viewers. A failure, too: a source that is down is not asked more often.
const FRESH: Duration = Duration::from_secs(1);

/// Where the data comes from.
#[derive(Debug)]
pub(crate) struct Sources {
    /// To Prometheus, through the mesh.
    pub(crate) prometheus: tonic::transport::Channel,
    /// To the administration interface of this pod's Envoy.
    pub(crate) envoy: tonic::transport::Channel,
}

/// Collects the map, at most once a second.
#[derive(Debug, Clone)]
pub(crate) struct Mesh(Arc<Mutex<Collector>>);

#[derive(Debug)]
struct Collector {
    prometheus: Prometheus,
    envoy: Envoy,
    last: Option<(Instant, Result<Map, SourceError>)>,
}

impl Mesh {
    pub(crate) fn new(sources: Sources) -> Self {
        Self(Arc::new(Mutex::new(Collector {
            prometheus: Prometheus::new(sources.prometheus),
            envoy: Envoy::new(sources.envoy),
            last: None,
        })))
    }

    /// Viewers that come while the map is collected wait for it.
    pub(crate) async fn answer(&self) -> Response {
        let mut collector = self.0.lock().await;
        let response = match collector.map().await {
            Ok(map) => Json(map).into_response(),
            Err(error) => refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                &error.to_string(),
            ),
        };
        ([(CACHE_CONTROL, "no-store")], response).into_response()
    }
}

impl Collector {
    async fn map(&mut self) -> &Result<Map, SourceError> {
        let old = self.last.take().filter(|(at, _)| at.elapsed() < FRESH);
        let last = match old {
            Some(fresh) => fresh,
            None => {
                let map = self.collect().await;
                (Instant::now(), map)
            }
        };
        &self.last.insert(last).1
    }

    async fn collect(&mut self) -> Result<Map, SourceError> {
        let whole = match self.prometheus.map().await {
            Ok(map) if !map.edges.is_empty() => return Ok(map),
            whole => whole,
        };
        let own = self.envoy.map().await;
        match (whole, own) {
            // Usual: Prometheus is an option, and so is the statsd_exporter beside each Envoy.
            (Err(error), own) => Ok(Map {
                reason: Some(error.to_string()),
                ..own?
            }),
            (Ok(whole), Ok(own)) => Ok(Map {
                source: own.source,
                reason: Some("Prometheus has no metrics of Envoy".to_owned()),
                edges: own.edges,
                ..whole
            }),
            (Ok(whole), Err(_)) => Ok(whole),
        }
    }
}
