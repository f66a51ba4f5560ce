//! The parts of a run.

mod extent;
mod front_ends;
mod growth;
mod index;
mod lists;
mod measurement;
mod memory;
mod php;
mod resident;
mod soak;
mod streams;
mod turns;
mod unary;

use anyhow::ensure;
use tokio::time::Instant;

use self::turns::Bench;
use crate::arguments::{Part, RunFlags};
use crate::progress::progress;
use crate::report;

type Measure = fn(&mut Bench) -> anyhow::Result<()>;

/// Measures the parts that are asked for, and reports.
pub(crate) fn run(flags: &RunFlags) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut bench = Bench::new(flags);
    let mut incomplete = Vec::new();
    let all: [(Part, Measure); 11] = [
        (Part::Memory, memory::measure),
        (Part::Unary, unary::shapes),
        (Part::Sizes, unary::sizes),
        (Part::Php, php::measure),
        (Part::Resident, resident::measure),
        (Part::FrontEnds, front_ends::measure),
        (Part::Lists, lists::measure),
        (Part::Streams, streams::measure),
        (Part::Growth, growth::measure),
        (Part::Index, index::measure),
        (Part::Soak, soak::measure),
    ];
    for (part, measure) in all {
        if flags.only.is_empty() || flags.only.contains(&part) {
            progress(&format!(
                "== {part:?}, after {:.0} s",
                begin.elapsed().as_secs_f64()
            ));
            // The figures of the other parts are reported all the same.
            if let Err(error) = measure(&mut bench) {
                progress(&format!("{part:?} failed: {error:#}"));
                incomplete.push(part);
            }
        }
    }
    progress(&format!(
        "measured in {:.0} s",
        begin.elapsed().as_secs_f64()
    ));
    let figures = bench.into_figures();
    report::write(flags, &figures)?;
    ensure!(incomplete.is_empty(), "incomplete parts: {incomplete:?}");
    ensure!(
        figures.failures() == 0,
        "failures: {}; the report contains the first one of each row",
        figures.failures()
    );
    Ok(())
}
