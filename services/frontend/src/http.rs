//! The paths, responses and errors; and the layer around every request: its id, its metrics and its log record.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    admin,
    context::CallContext,
    metrics::UNKNOWN,
    status::canonical,
    telemetry::{bounded, milliseconds},
};
use grpc_wire::{status::label, trace::REQUEST_ID};
use prometheus::{
    HistogramVec, IntCounterVec, Registry, register_histogram_vec_with_registry,
    register_int_counter_vec_with_registry,
};
use serde_json::json;
use tokio::time::Instant;
use tonic::Code;
use uuid::Uuid;

use crate::{
    index::Index,
    peers::{PeerError, Peers},
    shop::{self, Mesh},
};

/// The status in the log and the metrics of a request that the client aborted.
const CLIENT_CLOSED_REQUEST: u16 = 499;

pub(crate) fn router(
    peers: Peers,
    mesh: Mesh,
    timeout: Duration,
    registry: Registry,
) -> Result<Router, prometheus::Error> {
    let metrics = Arc::new(HttpMetrics::new(&registry)?);
    let index = Arc::new(Index::new(peers, timeout));
    let index = async move |parameters, Extension(context): Extension<CallContext>| {
        index.serve(parameters, context).await
    };
    // The frontend is healthy without its peers: a restart would not bring them back.
    let check = async || Ok::<_, Infallible>(());
    let admin = admin::router(registry, check).method_not_allowed_fallback(method_not_allowed);
    let pages = Router::new()
        .route("/", get(index.clone()))
        .route("/index", get(index))
        .merge(shop::router(mesh))
        .fallback(async || no_such_path())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(metrics, observe));
    Ok(pages.merge(admin))
}

pub(crate) fn no_such_path() -> Response {
    refused(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path")
}

async fn method_not_allowed() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    refused(
        status,
        "METHOD_NOT_ALLOWED",
        "only GET and HEAD are allowed",
    )
}

pub(crate) fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let error = json!({ "error": { "code": code, "message": message } });
    (status, Json(error)).into_response()
}

pub(crate) fn peer_failed(error: PeerError, context: &CallContext) -> Response {
    let PeerError { peer, status } = error;
    tracing::warn!(
        peer,
        grpc_code = label(status.code()),
        reason = bounded(status.message()),
        request_id = context.request_id(),
        trace_id = context.trace_id(),
        "peer failed"
    );
    let http = match status.code() {
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let error = json!({ "error": {
        "peer": peer,
        "code": canonical(status.code()),
        "message": bounded(status.message()),
    } });
    (http, Json(error)).into_response()
}

#[derive(Debug)]
struct HttpMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl HttpMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: register_int_counter_vec_with_registry!(
                "http_requests_total",
                "HTTP requests, by path and status.",
                &["path", "code"],
                registry
            )?,
            seconds: register_histogram_vec_with_registry!(
                "http_request_duration_seconds",
                "Seconds from a request's start to its response.",
                &["path"],
                registry
            )?,
        })
    }
}

/// A request being served. Dropping it ends the request, as aborted by the client unless a response was sent.
struct ObservedRequest {
    metrics: Arc<HttpMetrics>,
    method: Method,
    path: String,
    /// One of the router's paths: clients must not add labels.
    label: String,
    context: CallContext,
    started: Instant,
    code: u16,
}

impl Drop for ObservedRequest {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let code = self.code.to_string();
        self.metrics
            .requests
            .with_label_values(&[&self.label, &code])
            .inc();
        self.metrics
            .seconds
            .with_label_values(&[&self.label])
            .observe(duration.as_secs_f64());
        tracing::info!(
            method = bounded(self.method.as_str()),
            path = self.path,
            status = self.code,
            duration_ms = milliseconds(duration),
            request_id = self.context.request_id(),
            trace_id = self.context.trace_id(),
            "request"
        );
    }
}

async fn observe(
    State(metrics): State<Arc<HttpMetrics>>,
    mut request: Request,
    next: Next,
) -> Response {
    let context = CallContext::from_headers(request.headers()).or_request_id(new_id());
    let matched = request.extensions().get::<MatchedPath>();
    let mut observed = ObservedRequest {
        metrics,
        method: request.method().clone(),
        path: bounded(request.uri().path()).to_owned(),
        label: matched.map_or(UNKNOWN, MatchedPath::as_str).to_owned(),
        context: context.clone(),
        started: Instant::now(),
        code: CLIENT_CLOSED_REQUEST,
    };
    let id = context.headers().get(REQUEST_ID).cloned();
    request.extensions_mut().insert(context);
    let mut response = next.run(request).await;
    observed.code = response.status().as_u16();
    response.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
    response
}

fn new_id() -> HeaderValue {
    let id = Uuid::new_v4().to_string();
    // Hexadecimal digits and hyphens are always valid.
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("none"))
}
