//! Bidirectional calls that stay open.

use std::time::Duration;

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::call::CheckedCall;
use super::grpc::{self, GrpcConnection, RoundTrips};

/// Between two messages of a stream.
const PULSE: Duration = Duration::from_secs(1);
/// An answer that takes longer counts as lost.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bidirectional calls that have each made one round trip. They end when this is dropped.
pub(crate) struct HeldStreams {
    streams: Vec<RoundTrips>,
    connections: Vec<GrpcConnection>,
}

/// What became of streams with a message a second.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Those that got all their answers.
    pub(crate) alive: usize,
    /// From when a message was due to its answer, at most.
    pub(crate) latest: Duration,
    pub(crate) first_failure: Option<String>,
}

impl HeldStreams {
    pub(crate) async fn begin(
        address: &Address,
        call: &CheckedCall,
        count: usize,
    ) -> anyhow::Result<Self> {
        let mut held = Self {
            streams: Vec::with_capacity(count),
            connections: Vec::new(),
        };
        while held.streams.len() < count {
            let connection = grpc::connect(address).await?;
            let more = (count - held.streams.len()).min(grpc::CALLS_PER_CONNECTION);
            for _ in 0..more {
                held.streams
                    .push(RoundTrips::begin(&connection, call).await?);
            }
            held.connections.push(connection);
        }
        Ok(held)
    }

    /// Makes a round trip a second on each, for this time. The streams do not all send at once.
    pub(crate) async fn pulse(self, time: Duration) -> Pulse {
        let begin = Instant::now();
        let count = u32::try_from(self.streams.len()).unwrap_or(u32::MAX).max(1);
        let mut streams = JoinSet::new();
        for (index, stream) in (0..).zip(self.streams) {
            streams.spawn(repeat(stream, begin + PULSE / count * index, begin + time));
        }
        let mut pulse = Pulse::default();
        while let Some(ended) = streams.join_next().await {
            match ended.map_err(anyhow::Error::from).and_then(|ended| ended) {
                Ok(latest) => {
                    pulse.alive += 1;
                    pulse.latest = pulse.latest.max(latest);
                }
                Err(error) => {
                    pulse.first_failure.get_or_insert(format!("{error:#}"));
                }
            }
        }
        pulse
    }
}

/// Returns the longest time from when a message was due to its answer.
async fn repeat(
    mut stream: RoundTrips,
    mut due: Instant,
    end: Instant,
) -> anyhow::Result<Duration> {
    let mut latest = Duration::ZERO;
    while due < end {
        sleep_until(due).await;
        timeout(TIMEOUT, stream.next()).await??;
        latest = latest.max(due.elapsed());
        due += PULSE;
    }
    Ok(latest)
}
