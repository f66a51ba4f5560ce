//! Streaming calls: round trips of one, messages of many, and one long stream.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::time::Instant;

use super::{ALONE, Bench, GIB, SMALL, USUAL, turns::Case};
use crate::application::{ECHO, SOURCE_MESSAGE};
use crate::load::{Call, Kind, Protocol, Shape, block_on, fastcgi_stream, grpc_stream};
use crate::progress;
use crate::report::{Flow, Spread};
use crate::setups::{Backend, Between, Target, Way, usage};

/// Between two looks at the memory of what a stream passes through.
const LOOK: Duration = Duration::from_millis(20);

/// The proxy; the same without it; what merely passes bytes on, which no proxy can better; and HTTP/2 without FastCGI.
/// nginx and Envoy's bridge have no streaming calls.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let way = |between| Way::new(between, false, false);
    let mut ways = vec![
        way(Between::Proxy),
        way(Between::Relay),
        way(Between::Nothing),
    ];
    let php = bench.start(&ways, Backend::PhpFpm)?;
    ways.push(way(Between::Tonic));
    let trivial = bench.start(&ways, Backend::Trivial)?;
    for (backend, targets, shape) in [
        (Backend::Trivial, &trivial, ALONE),
        (Backend::Trivial, &trivial, USUAL),
        (Backend::PhpFpm, &php, ALONE),
    ] {
        let case = round_trips(bench, backend, shape);
        bench.measure(&case, targets)?;
    }
    long_stream(bench, &trivial)
}

fn round_trips(bench: &Bench, backend: Backend, shape: Shape) -> Case {
    let message = Bytes::from(vec![b'm'; SMALL]);
    Case {
        part: "streams",
        backend,
        call: Call {
            kind: Kind::RoundTrip,
            path: ECHO,
            script: bench.places.root.join("php/fixtures/stream_echo.php"),
            answer: message.clone(),
            message,
        },
        shape,
        extent: bench.extent,
    }
}

fn long_stream(bench: &mut Bench, targets: &[Target]) -> anyhow::Result<()> {
    let bytes = bench.extent.stream;
    let mut all = vec![Vec::new(); targets.len()];
    for run in 1..=bench.extent.runs {
        for (target, passes) in targets.iter().zip(&mut all) {
            let pass = pass(target, bytes)?;
            progress(&format!(
                "stream, run {run} of {}: {:.2} GiB/s: {}",
                bench.extent.runs, pass.rate, target.name
            ));
            passes.push(pass);
        }
    }
    for (target, passes) in targets.iter().zip(all) {
        let spread =
            |value: fn(&Pass) -> f64| Spread::of(passes.iter().map(value)).unwrap_or_default();
        bench.report.flows.push(Flow {
            target: target.name.clone(),
            bytes,
            gib_per_second: spread(|pass| pass.rate),
            memory_before: passes.first().map_or(0.0, |pass| pass.memory_before),
            memory_most: spread(|pass| pass.memory_most).max,
        });
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Pass {
    rate: f64,
    memory_before: f64,
    memory_most: f64,
}

fn pass(target: &Target, bytes: u64) -> anyhow::Result<Pass> {
    let messages = bytes / SOURCE_MESSAGE as u64;
    let memory_before = usage(&target.between)?.memory;
    let mut memory_most = memory_before;
    let begin = Instant::now();
    let seconds = thread::scope(|scope| {
        let stream = scope.spawn(|| {
            block_on(async {
                match target.endpoint.protocol {
                    Protocol::Grpc => grpc_stream(&target.endpoint.address, messages).await,
                    _ => fastcgi_stream(&target.endpoint.address, messages).await,
                }
            })??;
            anyhow::Ok(begin.elapsed().as_secs_f64())
        });
        while !stream.is_finished() {
            memory_most = memory_most.max(usage(&target.between)?.memory);
            thread::sleep(LOOK);
        }
        stream.join().ok().context("the stream's thread broke")?
    })?;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let gibibytes = bytes as f64 / GIB as f64;
    Ok(Pass {
        rate: gibibytes / seconds,
        memory_before,
        memory_most,
    })
}
