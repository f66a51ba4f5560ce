//! A long load with cancellations, while workers are killed, reloaded, replaced and recycled. Each call and message has an id,
//! which its handler counts in a database: nothing may be lost or doubled, and what fails must have been in a killed worker.

mod callers;
mod disturbances;
mod ledger;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::callers::{Caller, Kind, connect};
use self::disturbances::{Disturbances, disturb};
use self::ledger::{Ledger, Outcome};
use self::watch::Memory;
use crate::figures::Soak;
use crate::load::block_on;
use crate::setups::Counted;

/// The connections of each kind of callers.
const CONNECTIONS: [(Kind, usize); 3] =
    [(Kind::Unary, 3), (Kind::Bidi, 3), (Kind::ServerStream, 1)];
const CALLERS_PER_CONNECTION: usize = 8;
/// How long the last calls may take.
const LAST_CALLS: Duration = Duration::from_secs(60);

/// Loads the proxy for this time, and judges what became of each call.
pub(crate) fn run(counted: &Counted, time: Duration) -> anyhow::Result<Soak> {
    // All workers are connected.
    watch::settle(&counted.metrics)?;
    let files_before = watch::open_files(counted.proxy())?;
    let (ledger, disturbances, memory) = block_on(load(counted, time))??;
    let gauges = watch::settle(&counted.metrics)?;
    let counts = counted.counts()?;
    let verdict = ledger.judge(&counts, &disturbances.kills);
    Ok(Soak {
        seconds: time.as_secs(),
        answered: ledger.count(Outcome::Answered),
        given_up: ledger.count(Outcome::GivenUp),
        failed: ledger.count(Outcome::Failed),
        kills: disturbances.kills.len(),
        reloads: disturbances.reloads,
        replacements: disturbances.replacements,
        recycled: watch::counter(
            &counted.metrics,
            "resident_retirements_total",
            "reason=\"calls\"",
        )?,
        lost: verdict.lost,
        doubled: verdict.doubled,
        unexplained: verdict.unexplained,
        gauges,
        files: watch::open_files(counted.proxy())?.saturating_sub(files_before),
        proxy_memory: memory.proxy(),
        worker_memory: memory.worker(),
    })
}

async fn load(counted: &Counted, time: Duration) -> anyhow::Result<(Ledger, Disturbances, Memory)> {
    let begin = Instant::now();
    let worker = Arc::new(AtomicU32::new(0));
    let mut callers = JoinSet::new();
    let mut number = 0;
    for (kind, connections) in CONNECTIONS {
        for _ in 0..connections {
            let channel = connect(&counted.address).await?;
            for _ in 0..CALLERS_PER_CONNECTION {
                number += 1;
                let caller = Caller::new(channel.clone(), number, begin, Arc::clone(&worker));
                callers.spawn(caller.run(kind, begin + time));
            }
        }
    }
    let (disturbances, memory) = tokio::join!(
        disturb(counted, &worker, begin, time),
        watch::memory(counted, begin + time),
    );
    let mut ledger = Ledger::default();
    while let Some(ended) = timeout(LAST_CALLS, callers.join_next()).await? {
        ledger.add(ended?);
    }
    Ok((ledger, disturbances?, memory))
}
