//! Sends the spans that wait, in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::Spans;
use super::collector::Collector;
use super::queue::Queue;
use super::settings::QueueLimits;
use super::span::EndedSpan;
use crate::metrics::registry::Metrics;

/// How long the end of the proxy may wait for the last spans.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// The pauses before a batch is sent again; each varies by half.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// The task that sends spans.
#[derive(Debug)]
pub(crate) struct Exporter(Option<Running>);

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Starts to send the spans that the other value makes, if there is a collector.
    pub(crate) fn start(
        collector: Option<Collector>,
        metrics: &Metrics,
    ) -> prometheus::Result<(Option<Spans>, Self)> {
        let Some(collector) = collector else {
            return Ok((None, Self(None)));
        };
        let queue = Arc::new(Queue::new(collector.settings.queue, metrics.spans()?));
        let sampler = collector.settings.sampler;
        let stop = CancellationToken::new();
        let task = Task {
            collector,
            queue: Arc::clone(&queue),
            stop: stop.clone(),
            reported: 0,
            failing: false,
        };
        let spans = Spans { sampler, queue };
        let task = tokio::spawn(task.run());
        Ok((Some(spans), Self(Some(Running { stop, task }))))
    }

    /// Sends what waits, for a moment.
    pub(crate) async fn end(self) {
        let Some(Running { stop, task }) = self.0 else {
            return;
        };
        stop.cancel();
        if timeout(END_TIMEOUT, task).await.is_err() {
            tracing::warn!("the collector did not take the last spans in time");
        }
    }
}

struct Task {
    collector: Collector,
    queue: Arc<Queue>,
    stop: CancellationToken,
    /// How many dropped spans the log knows about.
    reported: u64,
    /// Whether the last batch failed, so that a collector that is away is reported once.
    failing: bool,
}

impl Task {
    async fn run(mut self) {
        let QueueLimits { batch, delay, .. } = self.queue.limits;
        let (queue, stop) = (Arc::clone(&self.queue), self.stop.clone());
        let filled = || async {
            queue.has(1).await;
            let _ = timeout(delay, queue.has(batch)).await;
        };
        while stop.run_until_cancelled(filled()).await.is_some() {
            self.send_waiting().await;
        }
        self.send_waiting().await;
    }

    async fn send_waiting(&mut self) {
        loop {
            let spans = self.queue.take();
            self.report_dropped();
            let is_last = spans.len() < self.queue.limits.batch;
            if !spans.is_empty() {
                self.send(spans).await;
            }
            if is_last {
                return;
            }
        }
    }

    /// Sends a batch, several times if the collector is away.
    async fn send(&mut self, spans: Vec<EndedSpan>) {
        let count = spans.len() as u64;
        let batch = self.collector.request(spans);
        let mut pauses = PAUSES.iter();
        let error = loop {
            match self.collector.send(batch.clone()).await {
                Ok(rest) => return self.sent(count, rest.rejected_spans, &rest.error_message),
                Err(error) if !may_be_sent_again(error.code()) => break error,
                Err(error) => match pauses.next() {
                    Some(pause) if !self.stop.is_cancelled() => {
                        self.report_failing(&error);
                        let pause = pause.mul_f64(0.5 + fastrand::f64());
                        self.stop.run_until_cancelled(sleep(pause)).await;
                    }
                    _ => break error,
                },
            }
        };
        self.queue.metrics.failed.inc_by(count);
        self.report_failing(&error);
        tracing::warn!(spans = count, %error, "lost spans, since the collector does not take them");
    }

    fn sent(&mut self, count: u64, rejected: i64, reason: &str) {
        let rejected = u64::try_from(rejected).unwrap_or_default().min(count);
        self.queue.metrics.exported.inc_by(count - rejected);
        self.queue.metrics.failed.inc_by(rejected);
        if rejected > 0 {
            tracing::warn!(spans = rejected, reason, "the collector rejected spans");
        }
        if std::mem::take(&mut self.failing) {
            tracing::info!("the collector takes spans again");
        }
    }

    fn report_failing(&mut self, error: &tonic::Status) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(%error, "cannot send spans to the collector");
        }
    }

    fn report_dropped(&mut self) {
        let dropped = self.queue.metrics.dropped.get();
        let spans = dropped - self.reported;
        if spans > 0 {
            self.reported = dropped;
            tracing::warn!(spans, "dropped spans, since too many were waiting");
        }
    }
}

/// OTLP, "Failures": these are retryable. RESOURCE_EXHAUSTED is only with a hint of the time, but another collector behind
/// the same address may take the batch.
fn may_be_sent_again(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}
