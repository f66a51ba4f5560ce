//! Measures several setups in turns, A B C A B C, so that a disturbance of the machine affects all alike.

use std::time::Duration;

use super::extent::Extent;
use super::measurement::Measurement;
use crate::arguments::{Peer, RunFlags};
use crate::figures::Figures;
use crate::load::{self, CheckedCall, Shape};
use crate::progress::progress;
use crate::setups::{Backend, Paths, RunningSetup, Setup};

/// The state that the parts share.
pub(super) struct Bench {
    pub(super) paths: Paths,
    pub(super) extent: Extent,
    pub(super) figures: Figures,
    peers: Vec<Peer>,
    /// Texts, one of which the name of a setup must contain; all setups, if empty.
    names: Vec<String>,
}

impl Bench {
    pub(super) fn new(flags: &RunFlags) -> Self {
        Self {
            paths: Paths {
                root: flags.root.clone(),
                folder: flags.folder.clone(),
                proxy: flags.proxy.clone(),
                envoy: flags.envoy.clone(),
                nginx: flags.nginx.clone(),
                user: flags.user.clone(),
                php_before: flags.php_before.clone(),
            },
            extent: Extent::of(flags),
            figures: Figures::new(flags.revision.clone(), flags.index.clone()),
            peers: flags
                .peer
                .iter()
                .filter(|peer| peer.matches(&flags.setup))
                .cloned()
                .collect(),
            names: flags.setup.clone(),
        }
    }

    pub(super) fn into_figures(self) -> Figures {
        self.figures
    }

    /// Starts the setups that are asked for.
    pub(super) fn start(
        &self,
        setups: &[Setup],
        backend: Backend,
    ) -> anyhow::Result<Vec<RunningSetup>> {
        let wanted = |setup: &&Setup| self.wants(&setup.name());
        setups
            .iter()
            .filter(wanted)
            .map(|setup| RunningSetup::start(&self.paths, *setup, backend))
            .collect()
    }

    /// Whether a setup with this name is asked for.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part))
    }

    /// The peers that give this call the right response.
    pub(super) fn peers_for(&self, call: &CheckedCall) -> anyhow::Result<Vec<RunningSetup>> {
        let mut answering = Vec::new();
        for peer in &self.peers {
            let setup = RunningSetup::peer(&peer.name, &peer.address, peer.process);
            let time = Duration::from_millis(100);
            let (tally, (), ()) = load::run(&setup.endpoint, call, Shape::SINGLE, time, || ())?;
            if tally.failures() == 0 {
                answering.push(setup);
            } else {
                let failure = tally.first_failure().unwrap_or_default();
                progress(&format!(
                    "{} is not measured with {}: {failure}",
                    setup.name, call.path
                ));
            }
        }
        Ok(answering)
    }

    /// Measures the same call through each setup, in turns.
    pub(super) fn measure(
        &mut self,
        measurement: &Measurement,
        setups: &[RunningSetup],
    ) -> anyhow::Result<()> {
        let all = setups.iter().map(|setup| (measurement.clone(), setup));
        self.measure_each(measurement.extent.runs, &all.collect::<Vec<_>>())
    }

    /// Measures each setup with a measurement of its own, in turns.
    pub(super) fn measure_each(
        &mut self,
        runs: usize,
        all: &[(Measurement, &RunningSetup)],
    ) -> anyhow::Result<()> {
        let mut samples = vec![Vec::new(); all.len()];
        for run in 1..=runs {
            for ((measurement, setup), samples) in all.iter().zip(&mut samples) {
                let sample = measurement.sample(setup)?;
                progress(&format!(
                    "{} {} {} B, run {run} of {runs}: {:.0}/s, p50 {:.0} µs: {}",
                    measurement.part,
                    measurement.shape,
                    measurement.call.message.len(),
                    sample.per_second,
                    sample.p50,
                    setup.name,
                ));
                samples.push(sample);
            }
        }
        let rows = all.iter().zip(samples);
        self.figures.rows.extend(
            rows.map(|((measurement, setup), samples)| measurement.row(&setup.name, &samples)),
        );
        Ok(())
    }
}
