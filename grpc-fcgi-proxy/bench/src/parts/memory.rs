//! Resident memory: idle after the start, and of the proxy with waiting calls.

use std::thread;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use super::turns::Bench;
use crate::figures::{Memory, Spread};
use crate::load::{Waiting, block_on};
use crate::progress::progress;
use crate::setups::{Backend, Intermediary, RunningSetup, Setup, Transport, Usage, WORKERS, usage};

/// The number of waiting calls.
const WAITING: usize = 2000;
/// A program that has started is idle after this time.
const SETTLING: Duration = Duration::from_millis(300);
/// Resident memory that has not grown for this time has reached its peak.
const STEADY: Duration = Duration::from_millis(500);
/// The longest wait for that.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut all = Setup::with_fastcgi(false);
    all.retain(|setup| {
        setup.transport == Transport::New && setup.intermediary != Intermediary::Direct
    });
    all.push(Setup::new(Intermediary::Tonic, Transport::New, false));
    for setup in all {
        if !bench.wants(&setup.name()) {
            continue;
        }
        let mut idle = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..bench.extent.runs {
            let running = RunningSetup::start_with(&bench.paths, setup, Backend::Trivial, WORKERS)?;
            thread::sleep(SETTLING);
            idle.push(usage(&running.intermediary)?.memory);
            if setup.intermediary == Intermediary::Proxy {
                waiting.push(with_waiting_calls(&running)?);
            }
        }
        progress(&format!(
            "memory: {idle:.1?} MiB idle, {waiting:.1?} with waiting calls: {}",
            setup.name()
        ));
        bench.figures.memory.push(Memory {
            setup: setup.name(),
            idle: Spread::of(idle).unwrap_or_default(),
            waiting: Spread::of(waiting),
            waiting_calls: WAITING,
        });
    }
    Ok(())
}

fn with_waiting_calls(setup: &RunningSetup) -> anyhow::Result<f64> {
    block_on(async {
        let waiting = Waiting::begin(&setup.endpoint.address, WAITING).await?;
        let mut peak = Usage::default().memory;
        let (begin, mut last_growth) = (Instant::now(), Instant::now());
        while last_growth.elapsed() < STEADY && begin.elapsed() < TIMEOUT {
            // Not a blocking sleep: the connections of the calls run on this thread.
            tokio::time::sleep(STEADY / 10).await;
            let memory = usage(&setup.intermediary)?.memory;
            if memory > peak {
                (peak, last_growth) = (memory, Instant::now());
            }
        }
        ensure!(waiting.all_wait(), "a waiting call was answered");
        Ok(peak)
    })?
}
