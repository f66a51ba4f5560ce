//! Resident memory: of what has just started, and of the proxy with calls that wait.

use std::thread;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use super::{Bench, ways};
use crate::load::{Waiting, block_on};
use crate::progress;
use crate::report::{Memory, Spread};
use crate::setups::{Backend, Between, Target, Usage, WORKERS, Way, usage};

/// Calls that wait at once.
const WAITING: usize = 2000;
/// Long enough for a program that has started to be at rest.
const REST: Duration = Duration::from_millis(300);
/// Resident memory that has not grown for so long grows no more.
const STEADY: Duration = Duration::from_millis(500);
/// It is looked at this long at the most.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut all = ways(bench.extent);
    all.retain(|way| !way.kept && !way.unix && way.between != Between::Nothing);
    all.push(Way::new(Between::Tonic, false, false));
    for way in all {
        if !bench.wants(&way.name()) {
            continue;
        }
        let mut idle = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..bench.extent.runs {
            let target = Target::start_with(&bench.places, way, Backend::Trivial, WORKERS)?;
            thread::sleep(REST);
            idle.push(usage(&target.between)?.memory);
            if way.between == Between::Proxy {
                waiting.push(with_waiting_calls(&target)?);
            }
        }
        progress(&format!(
            "memory: {idle:.1?} MiB idle, {waiting:.1?} with waiting calls: {}",
            way.name()
        ));
        bench.report.memory.push(Memory {
            target: way.name(),
            idle: Spread::of(idle).unwrap_or_default(),
            waiting: Spread::of(waiting),
            waiting_calls: WAITING,
        });
    }
    Ok(())
}

fn with_waiting_calls(target: &Target) -> anyhow::Result<f64> {
    block_on(async {
        let waiting = Waiting::begin(&target.endpoint.address, WAITING).await?;
        let mut most = Usage::default().memory;
        let (begin, mut last_growth) = (Instant::now(), Instant::now());
        while last_growth.elapsed() < STEADY && begin.elapsed() < PATIENCE {
            // The connections of the calls go on meanwhile.
            tokio::time::sleep(STEADY / 10).await;
            let memory = usage(&target.between)?.memory;
            if memory > most {
                (most, last_growth) = (memory, Instant::now());
            }
        }
        ensure!(waiting.all_wait(), "a call that must wait was answered");
        Ok(most)
    })?
}
