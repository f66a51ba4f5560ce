//! The CPU time of a call as load grows: it should stay the same.

use std::time::Duration;

use super::measurement::{Measurement, SMALL};
use super::turns::Bench;
use crate::load::{CheckedCall, Shape};
use crate::setups::{Backend, Intermediary, Setup, Transport};

/// From 1 to 1,000 connections, and from 1 to 10,000 calls at once.
const SHAPES: [Shape; 7] = [
    Shape::new(1, 1),
    Shape::new(10, 1),
    Shape::new(10, 10),
    Shape::new(100, 1),
    Shape::new(100, 10),
    Shape::new(1000, 1),
    Shape::new(1000, 10),
];

/// Each caller gets to make a few calls.
const TIME_PER_CALLER: Duration = Duration::from_micros(300);

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    // tonic shows what grows with HTTP/2 alone.
    let setups = [
        Setup::new(Intermediary::Proxy, Transport::New, false),
        Setup::new(Intermediary::Proxy, Transport::Kept, false),
        Setup::new(Intermediary::Tonic, Transport::New, false),
    ];
    let setups = bench.start(&setups, Backend::Trivial)?;
    for shape in SHAPES {
        let mut extent = bench.extent.shorter();
        extent.runs = extent.runs.div_ceil(3);
        let calls = u32::try_from(shape.calls()).unwrap_or(u32::MAX);
        extent.time = extent.time.max(TIME_PER_CALLER * calls);
        let measurement = Measurement {
            part: "growth",
            backend: Backend::Trivial,
            call: CheckedCall::trivial(SMALL),
            shape,
            extent,
        };
        bench.measure(&measurement, &setups)?;
    }
    Ok(())
}
