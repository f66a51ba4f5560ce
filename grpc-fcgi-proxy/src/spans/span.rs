//! The span of one call, while it runs.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use grpc_wire::status::Code;
use http::{HeaderMap, Version};
use tokio::time::Instant;

use super::context::{Context, TRACESTATE};
use super::queue::Queue;
use crate::binding::dialect::Dialect;
use crate::binding::variables::FormattedAddress;
use crate::telemetry::CallId;

/// A unary call that one worker after the other loses has two events for each.
const MAX_EVENTS: usize = 32;
/// The specification asks for at least this much.
const MAX_TRACESTATE: usize = 512;
/// Longer texts are cut.
const MAX_TEXT: usize = 256;

/// The span of a call, shared by all that record an event in it. Empty if the call has none, and then it costs nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSpan(Option<Arc<Span>>);

#[derive(Debug)]
struct Span {
    context: Context,
    recording: Option<Recording>,
}

/// What is recorded of a sampled call.
#[derive(Debug)]
struct Recording {
    began: SystemTime,
    start: Instant,
    trace_state: String,
    ends: SpanEnds,
    events: Mutex<Vec<(Duration, Event)>>,
    queue: Arc<Queue>,
}

/// Who talks to whom.
#[derive(Clone, Debug)]
pub(crate) struct SpanEnds {
    /// The host that the client called.
    pub(crate) host: String,
    /// The proxy's end of the connection.
    pub(crate) local: FormattedAddress,
    /// The client's end.
    pub(crate) peer: FormattedAddress,
    /// The client that a trusted proxy names.
    pub(crate) forwarded: Option<Box<FormattedAddress>>,
    /// That of HTTP.
    pub(crate) version: Version,
}

/// Something that happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It holds a slot of `--max-calls`.
    Slot,
    /// It waits for a worker of php-fpm, or for a resident one.
    Waiting,
    /// It has a place at php-fpm, and a connection.
    Exchange,
    /// It has been given to a resident worker.
    Resident,
    /// The application has begun to answer.
    Answer,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct SpanEnd {
    pub(crate) id: CallId,
    /// Whether its method exists: a client may have made it up.
    pub(crate) is_known: bool,
    pub(crate) dialect: Dialect,
    pub(crate) code: Code,
    /// Why the proxy failed it, if the proxy did.
    pub(crate) error: Option<String>,
}

/// A span that has ended.
#[derive(Debug)]
pub(super) struct EndedSpan {
    pub(super) context: Context,
    pub(super) trace_state: String,
    pub(super) began: SystemTime,
    pub(super) duration: Duration,
    pub(super) ends: SpanEnds,
    pub(super) events: Vec<(Duration, Event)>,
    pub(super) end: SpanEnd,
}

impl CallSpan {
    pub(super) fn recorded(
        context: Context,
        headers: &HeaderMap,
        mut ends: SpanEnds,
        queue: Arc<Queue>,
    ) -> Self {
        cut(&mut ends.host);
        let recording = Recording {
            began: SystemTime::now(),
            start: Instant::now(),
            trace_state: trace_state(headers, &context),
            ends,
            events: Mutex::new(Vec::with_capacity(4)),
            queue,
        };
        Self(Some(Arc::new(Span {
            context,
            recording: Some(recording),
        })))
    }

    /// Of a call that is not sampled; PHP learns that.
    pub(super) fn unrecorded(context: Context) -> Self {
        Self(Some(Arc::new(Span {
            context,
            recording: None,
        })))
    }

    /// The id of the trace, for the log.
    pub(crate) fn trace_id(&self) -> Option<String> {
        let span = self.0.as_ref()?;
        Some(format!("{:032x}", span.context.ids.trace))
    }

    /// Makes the span the parent of those that PHP begins.
    pub(crate) fn write_context(&self, headers: &mut HeaderMap) {
        if let Some(span) = &self.0 {
            span.context.write(headers);
        }
    }

    /// Records an event that happens now.
    pub(crate) fn record(&self, event: Event) {
        if let Some(recording) = self.recording() {
            recording.record(event);
        }
    }

    fn recording(&self) -> Option<&Recording> {
        self.0.as_ref()?.recording.as_ref()
    }

    /// Ends the span. Only a call that is sampled needs its `end`.
    pub(crate) fn end(&self, end: impl FnOnce() -> SpanEnd) {
        if let Some(span) = &self.0
            && let Some(recording) = &span.recording
        {
            recording.end(span.context, end());
        }
    }
}

impl Recording {
    fn record(&self, event: Event) {
        let at = self.start.elapsed();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < MAX_EVENTS {
            events.push((at, event));
        }
    }

    fn end(&self, context: Context, mut end: SpanEnd) {
        end.error.as_mut().map(cut);
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        self.queue.push(EndedSpan {
            context,
            trace_state: self.trace_state.clone(),
            began: self.began,
            duration: self.start.elapsed(),
            ends: self.ends.clone(),
            events: mem::take(&mut events),
            end,
        });
    }
}

impl Event {
    /// Its name, and which kind of worker it is about.
    pub(super) const fn name(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Slot => ("slot acquired", None),
            Self::Waiting => ("waiting for a worker", None),
            Self::Exchange => ("worker acquired", Some("php-fpm")),
            Self::Resident => ("worker acquired", Some("resident")),
            Self::Answer => ("first byte of the answer", None),
        }
    }
}

/// That of the client. It belongs to `traceparent`.
fn trace_state(headers: &HeaderMap, context: &Context) -> String {
    if !context.is_w3c() {
        return String::new();
    }
    let values = headers.get_all(TRACESTATE).iter();
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    let joined = values.join(",");
    if joined.len() <= MAX_TRACESTATE {
        joined
    } else {
        String::new()
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
}
