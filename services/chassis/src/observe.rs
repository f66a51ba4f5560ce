//! The layer around every gRPC call: its deadline, its context, its metrics and its log record.
//!
//! tonic's own server ends a call whose deadline has expired with CANCELLED. The specification requires
//! DEADLINE_EXCEEDED, so the deadline is enforced here.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use grpc_wire::{content_type::is_grpc, count::MessageCounter, status::label, timeout};
use http_body_util::BodyExt;
use prometheus::IntCounter;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};

use crate::{
    context::{CallContext, deadline_exceeded},
    metrics::{GrpcMetrics, MethodLabels},
    telemetry::{bounded, milliseconds},
};

pub(crate) async fn observe(
    State(metrics): State<Arc<GrpcMetrics>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_grpc(request.headers()) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let context = CallContext::from_headers(request.headers());
    let mut call = ObservedCall::begin(metrics, request.uri().path(), context.clone());
    let received = call.metrics.received(call.method);
    let request = request.map(|body| counted(body, received));
    let response = match timeout::requested(request.headers()) {
        Ok(None) => serve(request, context, next).await,
        Ok(Some(time)) => serve(request, context.within(time), next).await,
        Err(error) => Status::from(grpc_wire::status::Status::from(error)).into_http(),
    };
    call.ended_by(response.headers());
    let sent = call.metrics.sent(call.method);
    response.map(|body| until_trailers(counted(body, sent), call))
}

async fn serve(mut request: Request, context: CallContext, next: Next) -> Response {
    let deadline = context.deadline();
    request.extensions_mut().insert(context);
    match deadline {
        None => next.run(request).await,
        Some(deadline) => timeout_at(deadline, next.run(request))
            .await
            .unwrap_or_else(|_| deadline_exceeded().into_http()),
    }
}

/// A call being served. Dropping it ends the call, as cancelled by the client unless a status was seen.
struct ObservedCall {
    metrics: Arc<GrpcMetrics>,
    method: MethodLabels,
    path: String,
    context: CallContext,
    started: Instant,
    code: Code,
}

impl ObservedCall {
    fn begin(metrics: Arc<GrpcMetrics>, path: &str, context: CallContext) -> Self {
        let method = metrics.method(path);
        metrics.started(method);
        Self {
            metrics,
            method,
            path: bounded(path).to_owned(),
            context,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }

    fn ended_by(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = status.code();
        }
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        self.metrics
            .handled(self.method, self.code, duration.as_secs_f64());
        if self.method.is_probe() {
            tracing::debug!(path = self.path, grpc_code = label(self.code), "probe");
            return;
        }
        tracing::info!(
            path = self.path,
            grpc_code = label(self.code),
            duration_ms = milliseconds(duration),
            request_id = self.context.request_id(),
            trace_id = self.context.trace_id(),
            "call"
        );
    }
}

/// Keeps the call alive until the trailers are sent or the client aborts.
fn until_trailers(body: Body, mut call: ObservedCall) -> Body {
    Body::new(body.map_frame(move |frame| {
        if let Some(trailers) = frame.trailers_ref() {
            call.ended_by(trailers);
        }
        frame
    }))
}

fn counted(body: Body, counter: IntCounter) -> Body {
    // tonic limits the size of messages; the counter needs no limit.
    let mut messages = MessageCounter::new(usize::MAX);
    Body::new(body.map_frame(move |frame| {
        if let Some(data) = frame.data_ref() {
            counter.inc_by(messages.push(data).unwrap_or_default());
        }
        frame
    }))
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use axum::{Router, http::header::CONTENT_TYPE, middleware::from_fn_with_state, routing::post};
    use prometheus::Registry;
    use tower::ServiceExt;

    use super::*;

    async fn post_to_stalled_method(content_type: &str, timeout: &str) -> Response {
        let metrics = GrpcMetrics::new(&Registry::new(), Vec::new()).unwrap();
        Router::new()
            .route("/a.A/Stall", post(pending::<()>))
            .layer(from_fn_with_state(Arc::new(metrics), observe))
            .oneshot(
                Request::post("/a.A/Stall")
                    .header(CONTENT_TYPE, content_type)
                    .header("grpc-timeout", timeout)
                    .body(Body::empty())
                    .unwrap(),
            )
            .await
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_deadline_is_deadline_exceeded() {
        let started = Instant::now();
        let response = post_to_stalled_method("application/grpc", "1500m").await;
        assert_eq!(started.elapsed(), Duration::from_millis(1500));
        assert_eq!(response.headers()["grpc-status"], "4");
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_of_millennia_does_not_expire() {
        let call = post_to_stalled_method("application/grpc", "99999999H");
        let ended = tokio::time::timeout(Duration::from_secs(3600), call).await;
        assert!(ended.is_err());
    }

    #[tokio::test]
    async fn a_malformed_timeout_is_internal() {
        for timeout in ["", "x", "1.5S", "123456789S"] {
            let response = post_to_stalled_method("application/grpc", timeout).await;
            assert_eq!(response.headers()["grpc-status"], "13", "{timeout}");
            assert_eq!(
                response.headers()["grpc-message"],
                "malformed%20grpc-timeout"
            );
        }
    }

    #[tokio::test]
    async fn other_content_types_are_refused() {
        let response = post_to_stalled_method("text/html", "1S").await;
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}
