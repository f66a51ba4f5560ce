//! Counts and logs a call when it ends, even if the client cancels it.

use std::sync::Arc;

use grpc_wire::method::{CallKind, Method};
use grpc_wire::status::{self, Code};
use http::request::Parts;
use tokio::time::Instant;

use super::bridge::{Bridge, Client};
use super::error::CallError;
use crate::binding::dialect::Dialect;
use crate::binding::dropped::DroppedFields;
use crate::metrics::calls::CallCounts;
use crate::metrics::registry::Metrics;
use crate::spans::{CallSpan, SpanEnd};
use crate::telemetry::{ApplicationLog, CallId, FOR_EACH_CALL};

/// A running call. If it is dropped before its end, the client has cancelled it.
#[derive(Debug)]
pub(super) struct Observed {
    metrics: Arc<Metrics>,
    id: CallId,
    dialect: Dialect,
    span: CallSpan,
    counts: CallCounts,
    /// Whether the call has shown that its method exists.
    method_known: bool,
    /// Header fields of the answer that gRPC cannot carry.
    dropped: DroppedFields,
    ended: bool,
}

impl Observed {
    pub(super) fn begin(bridge: &Bridge, client: &Client, head: &Parts, kind: CallKind) -> Self {
        let (path, dialect) = (head.uri.path(), Dialect::of(head));
        let metrics = &bridge.metrics;
        metrics.dialects.count(dialect);
        let span = bridge.span(client, head);
        Self {
            metrics: Arc::clone(metrics),
            id: CallId::of(path, &head.headers, span.trace_id()),
            dialect,
            span,
            counts: metrics.calls.begin(path, kind),
            method_known: false,
            dropped: DroppedFields::default(),
            ended: false,
        }
    }

    pub(super) fn start(&self) -> Instant {
        self.counts.start
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn span(&self) -> &CallSpan {
        &self.span
    }

    /// A log that names this call in the records of its script.
    pub(super) fn application_log(&self) -> ApplicationLog {
        ApplicationLog::new(self.id.clone())
    }

    /// The status comes from the service itself, so the method exists unless the code is UNIMPLEMENTED.
    pub(super) fn set_method_known(&mut self) {
        self.method_known = true;
    }

    pub(super) fn set_messages(&mut self, received: u64, sent: u64) {
        self.set_received(received);
        self.set_sent(sent);
    }

    pub(super) fn set_received(&mut self, messages: u64) {
        self.counts.received = messages;
    }

    pub(super) fn set_sent(&mut self, messages: u64) {
        self.counts.sent = messages;
    }

    /// Records header fields of the answer that gRPC cannot carry.
    pub(super) fn add_dropped(&mut self, fields: DroppedFields) {
        self.dropped.append(fields);
    }

    /// Reports fields that the client does not get, or not whole, because of `--max-response-metadata-size`.
    pub(super) fn report_shortened(&self, fields: &DroppedFields) {
        tracing::warn!(
            path = self.id.path(),
            request_id = self.id.request(),
            trace_id = self.id.trace(),
            %fields,
            "dropped or shortened header fields of the application that exceed the size limit"
        );
    }

    /// `calls` have ended so since the last warning.
    pub(super) fn warn_of_no_status(&self, calls: u64) {
        tracing::warn!(
            path = self.id.path(),
            request_id = self.id.request(),
            trace_id = self.id.trace(),
            calls,
            "an answer without Grpc-Status counts as OK, but its Content-Type is not application/grpc: its script may \
             have failed; --require-status refuses such answers"
        );
    }

    /// Records the end of a call that the proxy did not have to fail.
    pub(super) fn end(&mut self, code: Code) {
        self.report(code, None);
    }

    /// Records that the call failed without a status of the application.
    pub(super) fn fail(&mut self, error: &CallError) {
        self.report(error.status().code, Some(error));
    }

    fn report(&mut self, code: Code, error: Option<&CallError>) {
        self.ended = true;
        self.report_dropped();
        let method = Method::parse(self.id.path()).ok();
        let calls = &self.metrics.calls;
        let is_known = calls.end(&self.counts, method, code, self.method_known);
        self.span.end(|| SpanEnd {
            id: self.id.clone(),
            is_known,
            dialect: self.dialect,
            code,
            error: error.map(ToString::to_string),
        });
        let grpc_code = status::label(code);
        let duration_ms = self.counts.start.elapsed().as_secs_f64() * 1000.0;
        let path = method.map_or("unknown", |method| method.path);
        let (request_id, trace_id) = (self.id.request(), self.id.trace());
        let (protocol, codec) = (self.dialect.protocol.name(), self.dialect.codec.name());
        match error {
            // A client can repeat these at little cost, so the log has not each of them.
            Some(error) if error.is_refusal() => {
                tracing::warn!(path, request_id, trace_id, protocol, codec, grpc_code, duration_ms, %error, "call failed");
            }
            Some(error) => {
                tracing::warn!(name: FOR_EACH_CALL, path, request_id, trace_id, protocol, codec, grpc_code, duration_ms, %error, "call failed");
            }
            None => {
                tracing::info!(name: FOR_EACH_CALL, path, request_id, trace_id, protocol, codec, grpc_code, duration_ms, "call")
            }
        }
    }

    fn report_dropped(&self) {
        if !self.dropped.is_empty() {
            tracing::warn!(
                path = self.id.path(),
                request_id = self.id.request(),
                trace_id = self.id.trace(),
                fields = %self.dropped,
                "dropped header fields of the application that gRPC cannot carry"
            );
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
