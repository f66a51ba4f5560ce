//! The parts of the proxy that all calls share.

use std::sync::Arc;
use std::time::Duration;

use grpc_wire::method::CallKind;
use http::request::Parts;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::compression::Compression;
use super::forwarded::{Forwarding, TrustedProxies};
use super::load_report::CallReports;
use super::no_status::NoStatusWarnings;
use super::request::authority;
use super::request_body::RequestBody;
use super::slots::Slots;
use crate::application::Application;
use crate::binding::route::Routes;
use crate::binding::tls_variables::TlsVariables;
use crate::binding::variables::{FormattedAddress, host};
use crate::builtin::Builtin;
use crate::builtin::descriptors::MethodKinds;
use crate::config::Config;
use crate::metrics::registry::Metrics;
use crate::share::Holdings;
use crate::spans::{CallSpan, SpanEnds, Spans};

/// The parts that every call needs.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) application: Application,
    pub(crate) routes: Routes,
    pub(crate) kinds: MethodKinds,
    pub(crate) builtin: Builtin,
    pub(crate) limits: CallLimits,
    /// Whether a unary answer without a status fails its call.
    pub(crate) require_status: bool,
    pub(crate) no_status_warnings: NoStatusWarnings,
    pub(crate) slots: Slots,
    /// For the calls that the proxy answers itself.
    pub(crate) builtin_slots: Slots,
    pub(crate) compression: Compression,
    pub(crate) metrics: Arc<Metrics>,
    /// Makes the spans of calls, if they are sent.
    pub(crate) spans: Option<Spans>,
    pub(crate) load_reports: CallReports,
    /// The proxies in front that may name the client of a call, if the operator has named them.
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    /// Cancelled when the time to drain has expired, which aborts the remaining calls.
    pub(crate) stopping: CancellationToken,
}

impl Bridge {
    /// Begins the span of a call. Those that the proxy answers itself have none: probes would outnumber the calls.
    pub(super) fn span(&self, client: &Client, head: &Parts) -> CallSpan {
        match &self.spans {
            Some(spans) if self.builtin.service(head.uri.path()).is_none() => {
                spans.begin(&head.headers, || SpanEnds {
                    host: host(authority(head)).to_owned(),
                    local: client.local.clone(),
                    peer: client.peer.clone(),
                    forwarded: client.forwarding.client(&head.headers),
                    version: head.version,
                })
            }
            _ => CallSpan::default(),
        }
    }
}

/// Limits on one call; sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    /// A message from the client.
    pub(crate) receive_message: usize,
    /// A message from the application.
    pub(crate) send_message: usize,
    /// All header fields of a request.
    pub(crate) metadata: usize,
    /// The application's part of a response's header fields, and of its trailers.
    pub(crate) response_metadata: usize,
    /// How long a unary or server-streaming request may stall.
    pub(crate) request_idle: Duration,
    /// How long it may take in all.
    pub(crate) request_time: Duration,
}

impl CallLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            receive_message: config.max_receive_message_size,
            send_message: config.max_send_message_size,
            metadata: config.max_metadata_size,
            response_metadata: config.max_response_metadata_size,
            request_idle: config.clients.max_request_idle,
            request_time: config.clients.max_request_time,
        }
    }

    /// Limits how long the request of a call may take. `start` is when the call began.
    pub(crate) fn bounded(&self, kind: CallKind, start: Instant, body: RequestBody) -> RequestBody {
        match kind {
            CallKind::Unary | CallKind::ServerStream => {
                body.bounded(self.request_idle, start + self.request_time)
            }
            // This client may pause between its messages.
            CallKind::ClientStream | CallKind::BidiStream => body,
        }
    }
}

/// A client: both ends of its connection, and what that holds.
#[derive(Debug)]
pub(crate) struct Client {
    /// The client's end.
    pub(crate) peer: FormattedAddress,
    /// The proxy's end.
    pub(crate) local: FormattedAddress,
    /// What PHP sees of its TLS, if it has TLS.
    pub(crate) tls: Option<TlsVariables>,
    pub(crate) forwarding: Forwarding,
    pub(crate) holdings: Holdings,
}
