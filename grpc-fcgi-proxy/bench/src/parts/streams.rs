//! Streaming calls: round trips, and one long stream.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::time::Instant;

use super::extent::GIB;
use super::measurement::{Measurement, SMALL};
use super::turns::Bench;
use crate::application::{ECHO, SOURCE_MESSAGE};
use crate::figures::{Flow, Spread};
use crate::load::{CheckedCall, LoadKind, Protocol, Shape, block_on, fastcgi_stream, grpc_stream};
use crate::progress::progress;
use crate::setups::{Backend, Intermediary, RunningSetup, Setup, Transport, usage};

/// Between two readings of the resident memory.
const SAMPLING_INTERVAL: Duration = Duration::from_millis(20);

/// Compares the proxy with FastCGI alone, with a relay, which no proxy can beat, and with HTTP/2 alone. nginx and Envoy's
/// bridge have no streaming calls.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let setup = |intermediary| Setup::new(intermediary, Transport::New, false);
    let mut setups = vec![
        setup(Intermediary::Proxy),
        setup(Intermediary::Relay),
        setup(Intermediary::Direct),
    ];
    let php = bench.start(&setups, Backend::PhpFpm)?;
    setups.push(setup(Intermediary::Tonic));
    let trivial = bench.start(&setups, Backend::Trivial)?;
    for (backend, setups, shape) in [
        (Backend::Trivial, &trivial, Shape::SINGLE),
        (Backend::Trivial, &trivial, Shape::USUAL),
        (Backend::PhpFpm, &php, Shape::SINGLE),
    ] {
        let measurement = round_trips(bench, backend, shape);
        bench.measure(&measurement, setups)?;
    }
    long_stream(bench, &trivial)
}

fn round_trips(bench: &Bench, backend: Backend, shape: Shape) -> Measurement {
    let message = Bytes::from(vec![b'm'; SMALL]);
    Measurement {
        part: "streams",
        backend,
        call: CheckedCall {
            kind: LoadKind::RoundTrip,
            path: ECHO,
            script: bench.paths.root.join("php/fixtures/stream_echo.php"),
            answer: message.clone(),
            message,
        },
        shape,
        extent: bench.extent,
    }
}

fn long_stream(bench: &mut Bench, setups: &[RunningSetup]) -> anyhow::Result<()> {
    let bytes = bench.extent.stream;
    let mut all = vec![Vec::new(); setups.len()];
    for run in 1..=bench.extent.runs {
        for (setup, passes) in setups.iter().zip(&mut all) {
            let pass = pass(setup, bytes)?;
            progress(&format!(
                "stream, run {run} of {}: {:.2} GiB/s: {}",
                bench.extent.runs, pass.rate, setup.name
            ));
            passes.push(pass);
        }
    }
    for (setup, passes) in setups.iter().zip(all) {
        let spread =
            |value: fn(&Pass) -> f64| Spread::of(passes.iter().map(value)).unwrap_or_default();
        bench.figures.flows.push(Flow {
            setup: setup.name.clone(),
            bytes,
            gib_per_second: spread(|pass| pass.rate),
            memory_before: passes.first().map_or(0.0, |pass| pass.memory_before),
            memory_peak: spread(|pass| pass.memory_peak).max,
        });
    }
    Ok(())
}

/// One run of the long stream.
#[derive(Clone, Copy, Debug)]
struct Pass {
    rate: f64,
    memory_before: f64,
    memory_peak: f64,
}

fn pass(setup: &RunningSetup, bytes: u64) -> anyhow::Result<Pass> {
    let messages = bytes / SOURCE_MESSAGE as u64;
    let memory_before = usage(&setup.intermediary)?.memory;
    let mut memory_peak = memory_before;
    let begin = Instant::now();
    let seconds = thread::scope(|scope| {
        let stream = scope.spawn(|| {
            block_on(async {
                match setup.endpoint.protocol {
                    Protocol::Grpc => grpc_stream(&setup.endpoint.address, messages).await,
                    _ => fastcgi_stream(&setup.endpoint.address, messages).await,
                }
            })??;
            anyhow::Ok(begin.elapsed().as_secs_f64())
        });
        while !stream.is_finished() {
            memory_peak = memory_peak.max(usage(&setup.intermediary)?.memory);
            thread::sleep(SAMPLING_INTERVAL);
        }
        stream
            .join()
            .ok()
            .context("the thread of the stream panicked")?
    })?;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let gibibytes = bytes as f64 / GIB as f64;
    Ok(Pass {
        rate: gibibytes / seconds,
        memory_before,
        memory_peak,
    })
}
