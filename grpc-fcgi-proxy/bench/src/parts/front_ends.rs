//! The other protocols beside gRPC: the same proxy and resident workers, called by each in turns.

use super::measurement::Measurement;
use super::php::{get_item, get_item_json};
use super::turns::Bench;
use crate::figures::Instructions;
use crate::load::{CheckedCall, Endpoint, Protocol, Shape, block_on, sequence};
use crate::progress::progress;
use crate::setups::{Backend, CountingSetup, Intermediary, Paths, Setup, Transport};

const OFF: Setup = Setup::new(Intermediary::Proxy, Transport::Resident, true);
const ON: Setup = OFF.with_front_ends();
const TRANSCODER: Setup = Setup::new(Intermediary::Transcoder, Transport::Resident, true);
/// Calls to the same proxy as gRPC with the front ends on.
const OTHERS: [(Protocol, &str); 3] = [
    (Protocol::Connect, "Connect"),
    (Protocol::Json, "Connect with JSON"),
    (Protocol::JsonHttp1, "Connect with JSON, HTTP/1.1"),
];
const BACKEND: Backend = Backend::PhpFpm;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    calls(bench)?;
    instructions(bench)
}

fn calls(bench: &mut Bench) -> anyhow::Result<()> {
    let mut setups = bench.start(&[OFF, ON, TRANSCODER], BACKEND)?;
    let on = setups.iter().position(|setup| setup.name == ON.name());
    for (protocol, name) in OTHERS {
        setups.extend(on.map(|on| setups[on].by(protocol, name)));
    }
    let measurement = |protocol| Measurement {
        part: "front-ends",
        backend: BACKEND,
        call: call(&bench.paths, protocol),
        shape: Shape::USUAL,
        extent: bench.extent,
    };
    let all = setups.iter();
    let all: Vec<_> = all
        .map(|setup| (measurement(setup.endpoint.protocol), setup))
        .collect();
    bench.measure_each(bench.extent.runs, &all)
}

fn call(paths: &Paths, protocol: Protocol) -> CheckedCall {
    match protocol.is_json() {
        true => get_item_json(paths, BACKEND),
        false => get_item(paths, BACKEND),
    }
}

/// Of one call at a time, so that the count does not depend on how calls meet.
fn instructions(bench: &mut Bench) -> anyhow::Result<()> {
    let wanted = [
        (OFF, Protocol::Grpc, OFF.name()),
        (ON, Protocol::Grpc, ON.name()),
        (ON, Protocol::Connect, "Connect".to_owned()),
        (ON, Protocol::Json, "Connect with JSON".to_owned()),
    ];
    for (setup, protocol, name) in wanted {
        if bench.wants(&name) {
            let per_call = count(bench, setup, protocol)?;
            progress(&format!("{name}: {per_call:.0} instructions per call"));
            let setup = name;
            bench
                .figures
                .instructions
                .push(Instructions { setup, per_call });
        }
    }
    Ok(())
}

/// The difference between many calls and few, without what the program does once.
fn count(bench: &Bench, setup: Setup, protocol: Protocol) -> anyhow::Result<f64> {
    let call = call(&bench.paths, protocol);
    let few = bench.extent.counted_calls / 10;
    let mut totals = [0.0; 2];
    for (total, calls) in totals.iter_mut().zip([few, bench.extent.counted_calls]) {
        let counting = CountingSetup::start(&bench.paths, setup)?;
        let endpoint = Endpoint {
            protocol,
            address: counting.address.clone(),
        };
        block_on(sequence(&endpoint, &call, calls))??;
        *total = counting.end()?;
    }
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let calls = (bench.extent.counted_calls - few) as f64;
    Ok((totals[1] - totals[0]) / calls)
}
