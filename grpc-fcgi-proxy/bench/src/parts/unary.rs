//! Unary calls of the trivial application: what the proxy costs, and nothing else.

use super::{ALONE, Bench, SMALL, USUAL, trivial_call, turns::Case, ways};
use crate::load::Shape;
use crate::setups::{Backend, Between, Way};

/// Small messages, in all shapes.
pub(super) fn shapes(bench: &mut Bench) -> anyhow::Result<()> {
    let all = [
        ALONE,
        Shape::new(1, 8),
        USUAL,
        Shape::new(64, 1),
        Shape::new(32, 8),
    ];
    let shapes: &[Shape] = if bench.extent.full {
        &all
    } else {
        &[ALONE, USUAL]
    };
    let cases: Vec<_> = shapes.iter().map(|shape| (*shape, SMALL)).collect();
    measure(bench, "unary", &cases)
}

/// Larger messages, in the usual shape.
pub(super) fn sizes(bench: &mut Bench) -> anyhow::Result<()> {
    let all = [(USUAL, 4 << 10), (USUAL, 64 << 10), (USUAL, 1 << 20)];
    let cases = if bench.extent.full {
        &all[..]
    } else {
        &all[1..2]
    };
    measure(bench, "sizes", cases)
}

fn measure(bench: &mut Bench, part: &'static str, cases: &[(Shape, usize)]) -> anyhow::Result<()> {
    let mut ways = ways(bench.extent);
    ways.push(Way::new(Between::Tonic, false, false));
    let mut targets = bench.start(&ways, Backend::Trivial)?;
    targets.extend(bench.peers_for(&trivial_call(SMALL))?);
    for &(shape, bytes) in cases {
        let case = Case {
            part,
            backend: Backend::Trivial,
            call: trivial_call(bytes),
            shape,
            extent: match part {
                "sizes" => bench.extent.shorter(),
                _ => bench.extent,
            },
        };
        bench.measure(&case, &targets)?;
    }
    Ok(())
}
