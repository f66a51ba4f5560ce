//! The paths for machines that watch: `/healthz` and `/metrics`.

use std::{fmt::Display, future::Future, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::{Registry, TEXT_FORMAT, TextEncoder, process_collector::ProcessCollector};
use tokio::time::timeout;

/// A check that takes longer has failed: the watcher would give up on us.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// A registry with the metrics that every process has.
///
/// # Errors
///
/// That a metric is wrong, which is a mistake in the program.
pub fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    Ok(registry)
}

/// `/healthz` answers `OK` when the check does; `/metrics` what is in the registry.
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
            tracing::warn!(%error, "not healthy");
            (StatusCode::SERVICE_UNAVAILABLE, "not healthy")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "no answer in time"),
    }
}

fn metrics(registry: &Registry) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics not encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
