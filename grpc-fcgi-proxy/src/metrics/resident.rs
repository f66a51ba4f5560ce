//! Resident workers and their calls.

use prometheus::{
    Counter, CounterVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::exchanges::ExchangeMetrics;
use super::histogram::histogram;
use crate::waiting::Purpose;

const OF_WORKERS: &[&str] = &["target", "script"];

/// All workers.
#[derive(Clone, Debug)]
pub(crate) struct ResidentMetrics {
    pub(crate) waiting: IntGauge,
    pub(crate) wait_seconds: Histogram,
    /// How the calls ended.
    pub(crate) calls: ExchangeMetrics,
    unary: IntGauge,
    streams: IntGauge,
    workers: IntGaugeVec,
    boots: IntCounterVec,
    retirements: IntCounterVec,
    /// Streaming calls that outlasted `--resident-drain-timeout`.
    pub(crate) streams_aborted: IntCounter,
    busy: CounterVec,
    memory: IntGaugeVec,
}

/// Why a worker is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retirement {
    /// `--resident-max-calls`.
    Calls,
    /// `--resident-max-age`.
    Age,
    /// The worker wants it: a signal, or its memory.
    Asked,
    /// SIGHUP.
    Reload,
    /// `--resident-stuck-timeout`.
    Stuck,
    /// Its target was removed.
    Removed,
    /// It ended by itself.
    Ended,
}

impl Retirement {
    const ALL: [Self; 7] = [
        Self::Calls,
        Self::Age,
        Self::Asked,
        Self::Reload,
        Self::Stuck,
        Self::Removed,
        Self::Ended,
    ];

    /// The label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Age => "age",
            Self::Asked => "asked",
            Self::Reload => "reload",
            Self::Stuck => "stuck",
            Self::Removed => "removed",
            Self::Ended => "ended",
        }
    }
}

impl ResidentMetrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::register_all(registry)?;
        // A rate does not count the first one of a series that begins with it.
        for reason in Retirement::ALL {
            let reason = &[reason.name()];
            metrics.retirements.get_metric_with_label_values(reason)?;
        }
        Ok(metrics)
    }

    fn register_all(registry: &Registry) -> prometheus::Result<Self> {
        let gauges = |name, help, labels: &[&str]| -> prometheus::Result<IntGaugeVec> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let counters = |name, help, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let running = gauges(
            "resident_calls_running",
            "Calls in resident workers, including cancelled ones that have not ended.",
            &["kind"],
        )?;
        let waiting = IntGauge::new(
            "resident_calls_waiting",
            "Calls that wait for a resident worker.",
        )?;
        let busy = Opts::new(
            "resident_busy_seconds_total",
            "Seconds that handlers have run in resident workers.",
        );
        let busy = CounterVec::new(busy, OF_WORKERS)?;
        let wait_seconds = histogram(
            "resident_wait_seconds",
            "Seconds that calls waited for a resident worker.",
        )?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(busy.clone()))?;
        registry.register(Box::new(wait_seconds.clone()))?;
        Ok(Self {
            waiting,
            wait_seconds,
            calls: ExchangeMetrics::register_resident(registry)?,
            unary: running.get_metric_with_label_values(&["unary"])?,
            streams: running.get_metric_with_label_values(&["stream"])?,
            workers: gauges(
                "resident_workers",
                "Resident workers by state.",
                &["target", "script", "state"],
            )?,
            boots: counters(
                "resident_boots_total",
                "Boots of resident workers by outcome.",
                &["target", "script", "outcome"],
            )?,
            retirements: counters(
                "resident_retirements_total",
                "Resident workers that were replaced, by reason.",
                &["reason"],
            )?,
            streams_aborted: streams_aborted(registry)?,
            busy,
            memory: gauges(
                "resident_memory_bytes",
                "Memory of all resident workers, as PHP reports it.",
                OF_WORKERS,
            )?,
        })
    }

    pub(crate) fn running(&self, purpose: Purpose) -> &IntGauge {
        match purpose {
            Purpose::Unary => &self.unary,
            Purpose::Stream => &self.streams,
        }
    }

    pub(crate) fn retired(&self, reason: Retirement) {
        self.retirements.with_label_values(&[reason.name()]).inc();
    }

    /// The metrics of the workers of one script at one target.
    pub(crate) fn of(&self, target: &str, script: &str) -> PlaceMetrics {
        let workers = |state| self.workers.with_label_values(&[target, script, state]);
        let boots = |outcome| self.boots.with_label_values(&[target, script, outcome]);
        PlaceMetrics {
            booting: workers("booting"),
            ready: workers("ready"),
            retiring: workers("retiring"),
            booted: boots("ready"),
            failed: boots("failed"),
            worker: WorkerMetrics {
                busy: self.busy.with_label_values(&[target, script]),
                memory: self.memory.with_label_values(&[target, script]),
                last_memory: 0,
            },
        }
    }

    /// The addresses of a name change, and labels must not grow with them.
    pub(crate) fn forget(&self, target: &str, script: &str) {
        // It may have had none.
        for state in ["booting", "ready", "retiring"] {
            let _ = self.workers.remove_label_values(&[target, script, state]);
        }
        for outcome in ["ready", "failed"] {
            let _ = self.boots.remove_label_values(&[target, script, outcome]);
        }
        let _ = self.busy.remove_label_values(&[target, script]);
        let _ = self.memory.remove_label_values(&[target, script]);
    }
}

fn streams_aborted(registry: &Registry) -> prometheus::Result<IntCounter> {
    let counter = IntCounter::new(
        "resident_streams_aborted_total",
        "Streaming calls that were aborted because their resident worker was replaced.",
    )?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

/// The workers of one script at one target.
#[derive(Clone, Debug)]
pub(crate) struct PlaceMetrics {
    pub(crate) booting: IntGauge,
    pub(crate) ready: IntGauge,
    /// Those that finish their calls, and those that were given up.
    pub(crate) retiring: IntGauge,
    pub(crate) booted: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) worker: WorkerMetrics,
}

/// What one worker reports.
#[derive(Clone, Debug)]
pub(crate) struct WorkerMetrics {
    busy: Counter,
    memory: IntGauge,
    last_memory: i64,
}

impl WorkerMetrics {
    /// `busy` are further microseconds.
    pub(crate) fn status(&mut self, busy: u64, memory: u64) {
        let micros = u32::try_from(busy).unwrap_or(u32::MAX);
        self.busy.inc_by(f64::from(micros) / 1e6);
        self.set_memory(i64::try_from(memory).unwrap_or(0));
    }

    fn set_memory(&mut self, memory: i64) {
        self.memory.add(memory.saturating_sub(self.last_memory));
        self.last_memory = memory;
    }
}

impl Drop for WorkerMetrics {
    fn drop(&mut self) {
        self.set_memory(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retirements_of_every_reason_are_there_from_the_start() {
        let registry = Registry::new();
        ResidentMetrics::register(&registry).unwrap();
        let families = registry.gather();
        let of = |name: &str| families.iter().find(|family| family.name() == name);
        let retirements = of("resident_retirements_total").unwrap();
        assert_eq!(retirements.get_metric().len(), Retirement::ALL.len());
    }
}
