//! Resident workers beside calls by themselves: the same php-fpm pool, scripts and number of workers, over Unix sockets; and
//! over TCP in the default mode.

use std::time::Duration;

use tokio::time::sleep;

use super::measurement::{Measurement, SMALL};
use super::php::get_item;
use super::turns::Bench;
use crate::application::ECHO;
use crate::figures::{IdleStreams, SlowStreams, Spread};
use crate::load::{CheckedCall, HeldStreams, LoadKind, Shape, block_on};
use crate::progress::progress;
use crate::setups::{Backend, Intermediary, RunningSetup, Setup, Transport, largest_child, usage};

/// The resident workers that hold all streams.
const STREAM_WORKERS: usize = 2;
/// The workers that hold one stream each.
const ALONE_WORKERS: usize = 8;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let usual = [Shape::USUAL];
    for (backend, shapes) in [
        (Backend::PhpFpm, &[Shape::USUAL, Shape::SINGLE][..]),
        (Backend::Nothing, &usual),
        (Backend::SlowBoot, &usual),
    ] {
        unary(bench, backend, shapes)?;
    }
    round_trips(bench)?;
    held_streams(bench)
}

fn setup(transport: Transport) -> Setup {
    Setup::new(Intermediary::Proxy, transport, true)
}

/// What other servers have been compared with.
fn default_mode() -> Setup {
    Setup::new(Intermediary::Proxy, Transport::New, false)
}

fn unary(bench: &mut Bench, backend: Backend, shapes: &[Shape]) -> anyhow::Result<()> {
    let call = match backend {
        Backend::PhpFpm => get_item(&bench.paths, backend),
        _ => CheckedCall::trivial(SMALL),
    };
    let transports = [Transport::New, Transport::Kept, Transport::Resident];
    let mut wanted = transports.map(setup).to_vec();
    if backend != Backend::SlowBoot {
        wanted.insert(0, default_mode());
        wanted.push(setup(Transport::ResidentJit));
    }
    let mut setups = bench.start(&wanted, backend)?;
    if backend != Backend::SlowBoot {
        setups.extend(bench.peers_for(&call)?);
    }
    for &shape in shapes {
        let measurement = Measurement {
            part: "resident",
            backend,
            call: call.clone(),
            shape,
            extent: bench.extent,
        };
        bench.measure(&measurement, &setups)?;
    }
    Ok(())
}

/// Fewer workers than streams, beside what workers by themselves can hold: one stream each. Peers have as many as resident
/// workers.
fn round_trips(bench: &mut Bench) -> anyhow::Result<()> {
    let measurement = |bench: &Bench, shape| Measurement {
        part: "resident",
        backend: Backend::Nothing,
        call: echo(),
        shape,
        extent: bench.extent,
    };
    let mut all = Vec::new();
    for (transport, workers, shape) in [
        (Transport::New, ALONE_WORKERS, Shape::new(ALONE_WORKERS, 1)),
        (Transport::Resident, STREAM_WORKERS, Shape::USUAL),
        (Transport::ResidentJit, STREAM_WORKERS, Shape::USUAL),
    ] {
        let setup = setup(transport);
        if bench.wants(&setup.name()) {
            let running = RunningSetup::start_with(&bench.paths, setup, Backend::Nothing, workers)?;
            all.push((measurement(bench, shape), running));
        }
    }
    let peers = bench.peers_for(&echo())?;
    all.extend(
        peers
            .into_iter()
            .map(|peer| (measurement(bench, Shape::USUAL), peer)),
    );
    let all: Vec<_> = all
        .iter()
        .map(|(each, setup)| (each.clone(), setup))
        .collect();
    bench.measure_each(bench.extent.runs, &all)
}

/// The memory of idle streams, and streams that each send a message a second.
fn held_streams(bench: &mut Bench) -> anyhow::Result<()> {
    let setup = setup(Transport::Resident);
    if !bench.wants(&setup.name()) {
        return Ok(());
    }
    let streams = bench.extent.idle_streams;
    let start = |bench: &Bench| {
        RunningSetup::start_with(&bench.paths, setup, Backend::Nothing, STREAM_WORKERS)
    };
    let mut memory = Vec::new();
    for _ in 0..bench.extent.runs {
        memory.push(idle_memory(&start(bench)?, streams)?);
    }
    progress(&format!("{streams} idle streams: {memory:.1?} KiB each"));
    bench.figures.idle_streams = Spread::of(memory).map(|memory| IdleStreams { streams, memory });
    if let Some((streams, time)) = bench.extent.slow_streams {
        let slow = slow_streams(&start(bench)?, streams, time)?;
        progress(&format!("{slow:?}"));
        bench.figures.slow_streams = Some(slow);
    }
    Ok(())
}

/// In KiB for each stream.
fn idle_memory(setup: &RunningSetup, streams: usize) -> anyhow::Result<f64> {
    let memory = || anyhow::Ok(usage(&setup.intermediary)?.memory);
    block_on(async {
        // The worker and the proxy have done all that they do once.
        drop(HeldStreams::begin(&setup.endpoint.address, &echo(), 1).await?);
        let before = memory()?;
        let held = HeldStreams::begin(&setup.endpoint.address, &echo(), streams).await?;
        let after = memory()?;
        drop(held);
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = (after - before) * 1024.0 / streams as f64;
        anyhow::Ok(each)
    })?
}

fn slow_streams(
    setup: &RunningSetup,
    streams: usize,
    time: Duration,
) -> anyhow::Result<SlowStreams> {
    let (pulse, worker_memory) = block_on(async {
        let held = HeldStreams::begin(&setup.endpoint.address, &echo(), streams).await?;
        // While all of them are open.
        let look = async {
            sleep(time * 3 / 4).await;
            largest_child(&setup.application)
        };
        let (pulse, memory) = tokio::join!(held.pulse(time), look);
        anyhow::Ok((pulse, memory?))
    })??;
    Ok(SlowStreams {
        streams,
        seconds: time.as_secs(),
        alive: pulse.alive,
        latest: pulse.latest.as_secs_f64() * 1000.0,
        worker_memory,
        first_failure: pulse.first_failure,
    })
}

fn echo() -> CheckedCall {
    let call = CheckedCall::trivial(SMALL);
    CheckedCall {
        kind: LoadKind::RoundTrip,
        path: ECHO,
        answer: call.message.clone(),
        ..call
    }
}
