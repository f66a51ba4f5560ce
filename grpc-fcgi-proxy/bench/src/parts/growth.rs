//! What a call costs as load grows: it should cost the same.

use std::time::Duration;

use super::{Bench, SMALL, trivial_call, turns::Case};
use crate::load::Shape;
use crate::setups::{Backend, Between, Way};

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

/// Of the time, for each call at once.
const EACH: Duration = Duration::from_micros(300);

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    // What grows with HTTP/2 alone shows on tonic.
    let ways = [
        Way::new(Between::Proxy, false, false),
        Way::new(Between::Proxy, true, false),
        Way::new(Between::Tonic, false, false),
    ];
    let targets = bench.start(&ways, Backend::Trivial)?;
    for shape in SHAPES {
        let mut extent = bench.extent.shorter();
        extent.runs = extent.runs.div_ceil(3);
        // Each long enough for each caller to have its turn a few times.
        let calls = u32::try_from(shape.calls()).unwrap_or(u32::MAX);
        extent.time = extent.time.max(EACH * calls);
        let case = Case {
            part: "growth",
            backend: Backend::Trivial,
            call: trivial_call(SMALL),
            shape,
            extent,
        };
        bench.measure(&case, &targets)?;
    }
    Ok(())
}
