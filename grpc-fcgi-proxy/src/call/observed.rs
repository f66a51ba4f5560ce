//! What is told of a call when it ends, even if the client breaks it off: metrics, and a record of the log.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;

use super::Bridge;
use super::response_body::Outcome;
use crate::call::error::CallError;
use crate::metrics::{self, CallMetrics, Metrics};
use crate::telemetry::{ApplicationLog, CallId};
use grpc_wire::method::{CallKind, Method};
use grpc_wire::status::{self, Code};

/// A call that runs. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub(super) struct Observed {
    all: Arc<Metrics>,
    path: Arc<str>,
    id: CallId,
    metrics: CallMetrics,
    /// The application gave the status.
    answered: bool,
    error: Option<String>,
    ended: bool,
}

impl Observed {
    pub(super) fn begin(bridge: &Bridge, path: &str, kind: CallKind, headers: &HeaderMap) -> Self {
        Self {
            all: Arc::clone(&bridge.metrics),
            path: path.into(),
            id: CallId::of(headers),
            metrics: bridge.metrics.begin(path, kind),
            answered: false,
            error: None,
            ended: false,
        }
    }

    pub(super) fn start(&self) -> Instant {
        self.metrics.start
    }

    /// For what PHP writes to its log meanwhile.
    pub(super) fn application_log(&self) -> ApplicationLog {
        ApplicationLog::new(Arc::clone(&self.path), self.id.clone())
    }

    /// The application itself has given a status.
    pub(super) fn set_answered(&mut self) {
        self.answered = true;
    }

    pub(super) fn set_messages(&mut self, received: u64, sent: u64) {
        self.metrics.received = received;
        self.metrics.sent = sent;
    }

    /// Keeps for the log why the call failed, and gives what the client is told.
    pub(super) fn fail(&mut self, error: &CallError) -> Outcome {
        self.error = Some(error.to_string());
        Outcome::failed(error.status())
    }

    /// Fields of the answer that gRPC can't carry.
    pub(super) fn left_out(&self, fields: usize) {
        if fields > 0 {
            tracing::warn!(
                path = &*self.path,
                request_id = self.id.request(),
                trace_id = self.id.trace(),
                fields,
                "header fields of the application that gRPC cannot carry were left out"
            );
        }
    }

    pub(super) fn end(&mut self, code: Code) {
        self.ended = true;
        let method = Method::parse(&self.path).ok();
        self.all.end(&self.metrics, method, code, self.answered);
        let grpc_code = status::label(code);
        let duration_ms = self.metrics.start.elapsed().as_secs_f64() * 1000.0;
        let path = method.map_or("unknown", |method| method.path);
        let (request_id, trace_id) = (self.id.request(), self.id.trace());
        match &self.error {
            Some(error) => {
                tracing::warn!(
                    path,
                    request_id,
                    trace_id,
                    grpc_code,
                    duration_ms,
                    error,
                    "call failed"
                );
            }
            None => tracing::info!(path, request_id, trace_id, grpc_code, duration_ms, "call"),
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Code::Cancelled);
        }
    }
}

/// Counts how an exchange ended; one that is dropped was abandoned.
pub(super) struct CountedExchange {
    metrics: Arc<Metrics>,
    start: Instant,
    outcome: metrics::Outcome,
}

impl CountedExchange {
    pub(super) fn begin(bridge: &Bridge) -> Self {
        Self {
            metrics: Arc::clone(&bridge.metrics),
            start: Instant::now(),
            outcome: metrics::Outcome::Abandoned,
        }
    }

    pub(super) fn ended<T, E>(&mut self, result: &Result<T, E>) {
        self.outcome = match result {
            Ok(_) => metrics::Outcome::Complete,
            Err(_) => metrics::Outcome::Failed,
        };
    }
}

impl Drop for CountedExchange {
    fn drop(&mut self) {
        let time = self.start.elapsed();
        self.metrics.exchanges.ended(self.outcome, time);
    }
}
