//! The paths for monitoring: `/healthz` and `/metrics`.

use std::{fmt::Display, future::Future, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::{Registry, TEXT_FORMAT, TextEncoder, process_collector::ProcessCollector};
use tokio::time::timeout;

use crate::telemetry;

/// A slower check fails: the prober would time out anyway.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns a registry with the metrics of the process and of its log.
///
/// # Errors
///
/// If a metric is invalid, which is a bug.
pub fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    if let Some(dropped) = telemetry::dropped() {
        registry.register(Box::new(dropped))?;
    }
    Ok(registry)
}

/// Returns a router for `/healthz`, which is 200 while `check` succeeds, and for `/metrics`.
pub fn router<C, F, E>(registry: Registry, check: C) -> Router
where
    C: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    Router::new()
        .route("/healthz", get(move || health(check())))
        .route(
            "/metrics",
            get(move || std::future::ready(metrics(&registry))),
        )
}

async fn health<E: Display>(
    check: impl Future<Output = Result<(), E>>,
) -> (StatusCode, &'static str) {
    match timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(())) => (StatusCode::OK, "OK"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "unhealthy");
            (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the check timed out"),
    }
}

fn metrics(registry: &Registry) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot encode the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
