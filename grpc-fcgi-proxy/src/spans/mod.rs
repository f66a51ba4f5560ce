//! The spans of calls, sent to a collector by OTLP (`--otlp-endpoint`).
//!
//! `context` is what header fields carry, `sampler` decides which calls have a span; `span` records one, cheaply, on the
//! call's thread. Ended spans wait in a bounded `queue`, from which a task of the main thread (`exporter`) sends them in
//! batches to the `collector`; `encode` knows OTLP and the names of the semantic conventions. A call never waits for any of it.

mod collector;
mod context;
mod encode;
mod exporter;
mod queue;
mod sampler;
mod settings;
mod span;

use std::sync::Arc;

use http::HeaderMap;

pub(crate) use self::collector::Collector;
use self::context::{Context, Received};
pub(crate) use self::exporter::Exporter;
use self::queue::Queue;
pub(crate) use self::sampler::Sampler;
pub(crate) use self::settings::{QueueLimits, SpanSettings};
pub(crate) use self::span::{CallSpan, Event, SpanEnd, SpanEnds};

/// Makes the spans of calls.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    sampler: Sampler,
    queue: Arc<Queue>,
}

impl Spans {
    /// Begins the span of a call, if the call has one. Only then are its `ends` needed.
    pub(crate) fn begin(&self, headers: &HeaderMap, ends: impl FnOnce() -> SpanEnds) -> CallSpan {
        let received = Received::of(headers);
        let context = Context::below(received, |trace| {
            self.sampler.samples(received.sampled, trace)
        });
        if context.sampled {
            CallSpan::recorded(context, headers, ends(), Arc::clone(&self.queue))
        } else if received.sampled == Some(false) {
            // What the client sent says so already.
            CallSpan::default()
        } else {
            CallSpan::unrecorded(context)
        }
    }
}
