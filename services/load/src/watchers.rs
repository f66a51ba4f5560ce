//! Clients that watch the stock, and connect again when their stream ends, as an EventSource does.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use sse_stream::SseStream;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{client::Client, messages::Record, outcome::Failure};

const PATH: &str = "/v1/items:watch";
/// Between the end of a stream and the next attempt.
const PAUSE: Duration = Duration::from_secs(1);

/// What has become of the watchers.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    connected: AtomicU64,
    seen: Mutex<Watched>,
}

/// What the watchers have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Watched {
    /// Items, as they were or as they had become.
    pub(crate) events: u64,
    /// Streams that ended.
    pub(crate) ended: u64,
    /// Streams that could not be opened.
    pub(crate) refused: u64,
    /// Events that are no items, and streams that broke off within one.
    pub(crate) wrong: u64,
    /// The longest time that a watcher was without events because its stream had ended.
    #[serde(serialize_with = "crate::summary::milliseconds")]
    pub(crate) longest_gap: Duration,
}

impl Watchers {
    /// Starts this many watchers, which end when `stop` is cancelled.
    pub(crate) fn start(
        self: &Arc<Self>,
        count: u32,
        client: &Client,
        timeout: Duration,
        stop: &CancellationToken,
    ) -> TaskTracker {
        let tasks = TaskTracker::new();
        for _ in 0..count {
            let (watchers, client) = (self.clone(), client.clone());
            let watch = async move { watchers.watch(&client, timeout).await };
            tasks.spawn(stop.clone().run_until_cancelled_owned(watch));
        }
        tasks.close();
        tasks
    }

    pub(crate) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    pub(crate) fn seen(&self) -> Watched {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn watch(&self, client: &Client, timeout: Duration) {
        let mut gap = Gap::begin(self);
        loop {
            if self.stream(client, timeout, &mut gap).await.is_err() {
                self.lock().refused += 1;
            }
            sleep(PAUSE).await;
        }
    }

    /// Reads a stream to its end.
    async fn stream(
        &self,
        client: &Client,
        timeout: Duration,
        gap: &mut Gap<'_>,
    ) -> Result<(), Failure> {
        let body = client.events(PATH, Instant::now() + timeout).await?;
        let _connected = Connected::new(&self.connected);
        let mut events = SseStream::new(body);
        while let Some(event) = events.next().await {
            let Ok(event) = event else { break };
            match (event.event.as_deref(), event.data) {
                // How the stream ends: the call's status.
                (Some("status"), _) => break,
                (_, Some(data)) => {
                    let is_item = serde_json::from_str::<Record>(&data).is_ok();
                    let mut seen = self.lock();
                    seen.events += u64::from(is_item);
                    seen.wrong += u64::from(!is_item);
                    drop(seen);
                    gap.end();
                }
                // A comment, or a time for the next attempt.
                (_, None) => {}
            }
        }
        self.lock().ended += 1;
        gap.resume();
        Ok(())
    }
}

/// Counts a stream while it exists.
struct Connected<'a>(&'a AtomicU64);

impl<'a> Connected<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The time without events, from the end of a stream, or the start of the watcher, to the first event of the next one. It is also
/// kept when the watcher ends meanwhile.
struct Gap<'a> {
    watchers: &'a Watchers,
    since: Option<Instant>,
}

impl<'a> Gap<'a> {
    fn begin(watchers: &'a Watchers) -> Self {
        let since = Some(Instant::now());
        Self { watchers, since }
    }

    fn resume(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn end(&mut self) {
        if let Some(since) = self.since.take() {
            let mut seen = self.watchers.lock();
            seen.longest_gap = seen.longest_gap.max(since.elapsed());
        }
    }
}

impl Drop for Gap<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
