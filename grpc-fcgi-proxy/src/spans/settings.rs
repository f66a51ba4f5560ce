//! What the operator has set.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use tonic::metadata::MetadataMap;

use super::sampler::Sampler;

/// How spans are made and sent.
#[derive(Clone, Debug)]
pub(crate) struct SpanSettings {
    /// The collector.
    pub(crate) endpoint: Uri,
    /// The authorities of its certificate, if they are not those of the system.
    pub(crate) certificate: Option<PathBuf>,
    /// Sent with each batch.
    pub(crate) headers: MetadataMap,
    /// How long the collector may take for a batch.
    pub(crate) timeout: Duration,
    /// What sends them.
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) sampler: Sampler,
    pub(crate) queue: QueueLimits,
}

/// How many spans wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueLimits {
    /// A further span is dropped.
    pub(crate) spans: usize,
    /// How many are sent at once, at most.
    pub(crate) batch: usize,
    /// How long a span waits for others.
    pub(crate) delay: Duration,
}

impl QueueLimits {
    /// The defaults of OpenTelemetry.
    pub(crate) const DEFAULT: Self = Self {
        spans: 2048,
        batch: 512,
        delay: Duration::from_secs(5),
    };
}
