//! Unary calls of the trivial application: the cost of the setup alone.

use super::measurement::{Measurement, SMALL};
use super::turns::Bench;
use crate::load::{CheckedCall, Shape};
use crate::setups::{Backend, Intermediary, Setup, Transport};

/// Measures small messages in all shapes.
pub(super) fn shapes(bench: &mut Bench) -> anyhow::Result<()> {
    let all = [
        Shape::SINGLE,
        Shape::new(1, 8),
        Shape::USUAL,
        Shape::new(64, 1),
        Shape::new(32, 8),
    ];
    let shapes: &[Shape] = if bench.extent.full {
        &all
    } else {
        &[Shape::SINGLE, Shape::USUAL]
    };
    let cases: Vec<_> = shapes.iter().map(|shape| (*shape, SMALL)).collect();
    measure(bench, "unary", &cases)
}

/// Measures larger messages in the usual shape.
pub(super) fn sizes(bench: &mut Bench) -> anyhow::Result<()> {
    let all = [
        (Shape::USUAL, 4 << 10),
        (Shape::USUAL, 64 << 10),
        (Shape::USUAL, 1 << 20),
    ];
    let cases = if bench.extent.full {
        &all[..]
    } else {
        &all[1..2]
    };
    measure(bench, "sizes", cases)
}

fn measure(bench: &mut Bench, part: &'static str, cases: &[(Shape, usize)]) -> anyhow::Result<()> {
    let mut setups = Setup::with_fastcgi(bench.extent.full);
    setups.push(Setup::new(Intermediary::Tonic, Transport::New, false));
    let mut setups = bench.start(&setups, Backend::Trivial)?;
    setups.extend(bench.peers_for(&CheckedCall::trivial(SMALL))?);
    for &(shape, bytes) in cases {
        let measurement = Measurement {
            part,
            backend: Backend::Trivial,
            call: CheckedCall::trivial(bytes),
            shape,
            extent: match part {
                "sizes" => bench.extent.shorter(),
                _ => bench.extent,
            },
        };
        bench.measure(&measurement, &setups)?;
    }
    Ok(())
}
