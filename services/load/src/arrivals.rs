//! The open loop: a request is due at its time, whether or not those before it have been answered.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    operation::Operation,
    outcome::{Failure, Outcome},
    tally::Tally,
    visit::Visitor,
};

/// How requests arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrivals {
    /// Per second.
    pub(crate) rate: u32,
    /// `None` if they go on until the load is stopped.
    pub(crate) duration: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) max_in_flight: u32,
}

impl Arrivals {
    /// When a request is due, from the first one on.
    fn due(&self, number: u64) -> Duration {
        Duration::from_secs(1).mul_f64(precise(number) / f64::from(self.rate))
    }

    /// Makes requests until the time is over or `stop` is cancelled, and waits until all have ended.
    pub(crate) async fn run(
        self,
        visitor: Arc<Visitor>,
        tally: Arc<Tally>,
        stop: &CancellationToken,
    ) {
        let begin = Instant::now();
        let end = self.duration.map(|duration| begin + duration);
        let free = Arc::new(Semaphore::new(self.max_in_flight as usize));
        let tasks = TaskTracker::new();
        for number in 0.. {
            let due = begin + self.due(number);
            if end.is_some_and(|end| due >= end) || !wait(due, stop).await {
                break;
            }
            let wanted = Operation::choose(visitor.client.may_write());
            let Ok(permit) = free.clone().try_acquire_owned() else {
                tally.add(wanted, Outcome::Failed(Failure::Dropped), Duration::ZERO);
                continue;
            };
            let (visitor, tally) = (visitor.clone(), tally.clone());
            tasks.spawn(async move {
                let task = visitor.shop.begin(wanted);
                let operation = task.operation;
                let outcome = visitor.visit(task, due + self.timeout).await;
                // What it waited for its turn counts, too: its user would have waited.
                tally.add(operation, outcome, due.elapsed());
                drop(permit);
            });
        }
        tasks.close();
        tasks.wait().await;
    }
}

/// Waits until then; false if `stop` is cancelled before.
async fn wait(due: Instant, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = sleep_until(due) => true,
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "exact for 10,000 per second and 28,000 years"
)]
fn precise(number: u64) -> f64 {
    number as f64
}
