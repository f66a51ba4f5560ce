//! Ended spans that wait to be sent, up to a limit. Calls only push; the exporter takes.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::settings::QueueLimits;
use super::span::EndedSpan;
use crate::metrics::spans::SpanMetrics;

#[derive(Debug)]
pub(super) struct Queue {
    spans: Mutex<Vec<EndedSpan>>,
    pub(super) limits: QueueLimits,
    pub(super) metrics: SpanMetrics,
    /// Signals the first span, and a whole batch: a wake for each span would cost its call.
    changed: Notify,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits, metrics: SpanMetrics) -> Self {
        Self {
            spans: Mutex::default(),
            limits,
            metrics,
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EndedSpan>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a span, or drops it if too many wait.
    pub(super) fn push(&self, span: EndedSpan) {
        let mut spans = self.lock();
        if spans.len() >= self.limits.spans {
            drop(spans);
            self.metrics.dropped.inc();
            return;
        }
        spans.push(span);
        let waiting = spans.len();
        drop(spans);
        if waiting == 1 || waiting == self.limits.batch {
            self.changed.notify_one();
        }
    }

    /// Waits for as many spans. Cancel safe.
    pub(super) async fn has(&self, spans: usize) {
        while self.lock().len() < spans {
            self.changed.notified().await;
        }
    }

    /// The spans that have waited longest, at most a batch.
    pub(super) fn take(&self) -> Vec<EndedSpan> {
        let mut spans = self.lock();
        if spans.len() <= self.limits.batch {
            return mem::take(&mut spans);
        }
        spans.drain(..self.limits.batch).collect()
    }
}
