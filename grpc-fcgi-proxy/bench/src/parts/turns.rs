//! Measures several targets in turns, A B C A B C, so that what the machine does meanwhile meets all alike.

use serde::Serialize;

use super::Extent;
use crate::arguments::{Peer, Run};
use crate::load::{self, Call, Kind, Shape};
use crate::progress;
use crate::report::{Report, Row, Spread};
use crate::setups::{Backend, Places, Target, Usage, Way, usage};

/// What the parts share.
pub(crate) struct Bench {
    pub(crate) places: Places,
    pub(crate) extent: Extent,
    pub(crate) report: Report,
    pub(crate) peers: Vec<Peer>,
    /// Of the targets that are wanted; all, if empty.
    names: Vec<String>,
}

/// A measurement that is repeated.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) part: &'static str,
    pub(crate) backend: Backend,
    pub(crate) call: Call,
    pub(crate) shape: Shape,
    pub(crate) extent: Extent,
}

/// One run of it.
#[derive(Clone, Debug, Default, Serialize)]
struct Sample {
    per_second: f64,
    p50: f64,
    p99: f64,
    cpu_between: Option<f64>,
    cpu_application: Option<f64>,
    memory: Option<f64>,
    failures: usize,
    first_failure: Option<String>,
}

impl Bench {
    pub(crate) fn new(flags: &Run) -> Self {
        Self {
            places: Places {
                root: flags.root.clone(),
                folder: flags.folder.clone(),
                proxy: flags.proxy.clone(),
                envoy: flags.envoy.clone(),
                nginx: flags.nginx.clone(),
                user: flags.user.clone(),
                php_before: flags.php_before.clone(),
            },
            extent: Extent::of(flags.effort),
            report: Report::begin(flags),
            peers: flags
                .peer
                .iter()
                .filter(|peer| peer.matches(&flags.target))
                .cloned()
                .collect(),
            names: flags.target.clone(),
        }
    }

    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    /// Starts those of the targets that are wanted.
    pub(crate) fn start(&self, ways: &[Way], backend: Backend) -> anyhow::Result<Vec<Target>> {
        let wanted = |way: &&Way| self.wants(&way.name());
        ways.iter()
            .filter(wanted)
            .map(|way| Target::start(&self.places, *way, backend))
            .collect()
    }

    /// Whether a target of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part))
    }

    /// Those peers that answer this call as it must be answered.
    pub(crate) fn peers_for(&self, call: &Call) -> anyhow::Result<Vec<Target>> {
        let mut answering = Vec::new();
        for peer in &self.peers {
            let target = Target::peer(&peer.name, &peer.address, peer.process);
            let time = std::time::Duration::from_millis(100);
            let (tally, (), ()) = load::run(&target.endpoint, call, Shape::new(1, 1), time, || ())?;
            if tally.failures() == 0 {
                answering.push(target);
            } else {
                let failure = tally.first_failure().unwrap_or_default();
                progress(&format!(
                    "{} is left out for {}: {failure}",
                    target.name, call.path
                ));
            }
        }
        Ok(answering)
    }

    /// Measures the same on each of the targets, in turns.
    pub(crate) fn measure(&mut self, case: &Case, targets: &[Target]) -> anyhow::Result<()> {
        let all = targets.iter().map(|target| (case.clone(), target));
        self.measure_each(case.extent.runs, &all.collect::<Vec<_>>())
    }

    /// Measures each target by a case of its own, in turns.
    pub(crate) fn measure_each(
        &mut self,
        runs: usize,
        all: &[(Case, &Target)],
    ) -> anyhow::Result<()> {
        let mut samples = vec![Vec::new(); all.len()];
        for run in 1..=runs {
            for ((case, target), samples) in all.iter().zip(&mut samples) {
                let sample = sample(case, target)?;
                progress(&format!(
                    "{} {} {} B, run {run} of {runs}: {:.0}/s, p50 {:.0} µs: {}",
                    case.part,
                    case.shape,
                    case.call.message.len(),
                    sample.per_second,
                    sample.p50,
                    target.name,
                ));
                samples.push(sample);
            }
        }
        let rows = all.iter().zip(samples);
        self.report
            .rows
            .extend(rows.map(|((case, target), samples)| row(case, &target.name, &samples)));
        Ok(())
    }
}

fn sample(case: &Case, target: &Target) -> anyhow::Result<Sample> {
    let look = || anyhow::Ok((usage(&target.between)?, usage(&target.application)?));
    let (mut tally, before, after) = load::run(
        &target.endpoint,
        &case.call,
        case.shape,
        case.extent.time,
        look,
    )?;
    let (before, after) = (before?, after?);
    let [p50, p99] = tally.percentiles([50, 99]).unwrap_or_default();
    #[allow(
        clippy::cast_precision_loss,
        reason = "a count of calls is far below 2^52"
    )]
    let calls = tally.calls().max(1) as f64;
    let cpu = |processes: &[u32], before: Usage, after: Usage| {
        (!processes.is_empty()).then(|| (after.cpu - before.cpu) / calls * 1e4)
    };
    Ok(Sample {
        per_second: tally.per_second(),
        p50,
        p99,
        cpu_between: cpu(&target.between, before.0, after.0),
        cpu_application: cpu(&target.application, before.1, after.1),
        memory: (!target.between.is_empty()).then_some(after.0.memory),
        failures: tally.failures(),
        first_failure: tally.first_failure().map(str::to_owned),
    })
}

fn row(case: &Case, target: &str, samples: &[Sample]) -> Row {
    let spread = |value: fn(&Sample) -> Option<f64>| Spread::of(samples.iter().filter_map(value));
    Row {
        part: case.part,
        backend: case.backend,
        round_trips: case.call.kind == Kind::RoundTrip,
        target: target.to_owned(),
        shape: case.shape.to_string(),
        bytes: case.call.message.len(),
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
