//! One measurement: its runs, and the row of figures that they make.

use super::extent::Extent;
use crate::figures::{Row, Spread};
use crate::load::{self, CheckedCall, LoadKind, Shape};
use crate::setups::{Backend, RunningSetup, Usage};

/// The bytes of a small message.
pub(super) const SMALL: usize = 40;

/// A call that is measured, in several runs.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) part: &'static str,
    pub(super) backend: Backend,
    pub(super) call: CheckedCall,
    pub(super) shape: Shape,
    pub(super) extent: Extent,
}

/// The figures of one run.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) per_second: f64,
    pub(super) p50: f64,
    p99: f64,
    cpu_between: Option<f64>,
    cpu_application: Option<f64>,
    memory: Option<f64>,
    failures: usize,
    first_failure: Option<String>,
}

impl Measurement {
    /// Runs it once.
    pub(super) fn sample(&self, setup: &RunningSetup) -> anyhow::Result<Sample> {
        let (mut tally, before, after) = load::run(
            &setup.endpoint,
            &self.call,
            self.shape,
            self.extent.time,
            || setup.usage(),
        )?;
        let (before, after) = (before?, after?);
        let [p50, p99] = tally.percentiles([50, 99]).unwrap_or_default();
        #[allow(
            clippy::cast_precision_loss,
            reason = "a count of calls is far below 2^52"
        )]
        let calls = tally.calls().max(1) as f64;
        let cpu = |before: Option<Usage>, after: Option<Usage>| {
            Some((after?.cpu - before?.cpu) / calls * 1e4)
        };
        Ok(Sample {
            per_second: tally.per_second(),
            p50,
            p99,
            cpu_between: cpu(before.0, after.0),
            cpu_application: cpu(before.1, after.1),
            memory: after.0.map(|usage| usage.memory),
            failures: tally.failures(),
            first_failure: tally.first_failure().map(str::to_owned),
        })
    }

    /// The figures of all runs.
    pub(super) fn row(&self, setup: &str, samples: &[Sample]) -> Row {
        let spread =
            |value: fn(&Sample) -> Option<f64>| Spread::of(samples.iter().filter_map(value));
        Row {
            part: self.part,
            backend: self.backend,
            round_trips: self.call.kind == LoadKind::RoundTrip,
            setup: setup.to_owned(),
            shape: self.shape.to_string(),
            bytes: self.call.message.len(),
            per_second: spread(|sample| Some(sample.per_second)).unwrap_or_default(),
            p50: spread(|sample| Some(sample.p50)).unwrap_or_default(),
            p99: spread(|sample| Some(sample.p99)).unwrap_or_default(),
            cpu_between: spread(|sample| sample.cpu_between),
            cpu_application: spread(|sample| sample.cpu_application),
            memory: spread(|sample| sample.memory),
            failures: samples.iter().map(|sample| sample.failures).sum(),
            first_failure: samples
                .iter()
                .find_map(|sample| sample.first_failure.clone()),
        }
    }
}
