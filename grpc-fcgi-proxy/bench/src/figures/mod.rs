//! The figures of a run.

mod report;
mod soak;
mod spread;

use std::fs;

use serde::Serialize;

pub(crate) use self::report::ReportFigures;
pub(crate) use self::soak::{Growth, Soak};
pub(crate) use self::spread::Spread;
use crate::load::Shape;
use crate::setups::Backend;

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) revision: String,
    pub(crate) machine: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) idle_streams: Option<IdleStreams>,
    pub(crate) slow_streams: Option<SlowStreams>,
    pub(crate) instructions: Vec<Instructions>,
    pub(crate) lists: Vec<ListFigures>,
    pub(crate) reports: Vec<ReportFigures>,
    pub(crate) soak: Option<Soak>,
    pub(crate) index: Vec<f64>,
}

/// Calls through one setup, in one shape.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) part: &'static str,
    pub(crate) backend: Backend,
    pub(crate) round_trips: bool,
    #[serde(rename = "target")]
    pub(crate) setup: String,
    pub(crate) shape: String,
    pub(crate) bytes: usize,
    pub(crate) per_second: Spread,
    /// In microseconds.
    pub(crate) p50: Spread,
    pub(crate) p99: Spread,
    /// CPU seconds between client and application for 10,000 calls.
    pub(crate) cpu_between: Option<Spread>,
    /// CPU seconds of the application for 10,000 calls.
    pub(crate) cpu_application: Option<Spread>,
    /// Resident MiB between client and application at the end of a run.
    pub(crate) memory: Option<Spread>,
    pub(crate) failures: usize,
    pub(crate) first_failure: Option<String>,
}

/// One long stream.
#[derive(Debug, Serialize)]
pub(crate) struct Flow {
    #[serde(rename = "target")]
    pub(crate) setup: String,
    pub(crate) bytes: u64,
    pub(crate) gib_per_second: Spread,
    /// Resident MiB.
    pub(crate) memory_before: f64,
    #[serde(rename = "memory_most")]
    pub(crate) memory_peak: f64,
}

/// Resident MiB between client and application.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    #[serde(rename = "target")]
    pub(crate) setup: String,
    pub(crate) idle: Spread,
    pub(crate) waiting: Option<Spread>,
    pub(crate) waiting_calls: usize,
}

/// Bidirectional calls without messages, in resident workers.
#[derive(Debug, Serialize)]
pub(crate) struct IdleStreams {
    pub(crate) streams: usize,
    /// Resident KiB of the proxy for each.
    pub(crate) memory: Spread,
}

/// Bidirectional calls with a message a second each, in resident workers.
#[derive(Debug, Serialize)]
pub(crate) struct SlowStreams {
    pub(crate) streams: usize,
    pub(crate) seconds: u64,
    /// Those that got all their answers.
    pub(crate) alive: usize,
    /// From when a message was due to its answer, at most, in milliseconds.
    pub(crate) latest: f64,
    /// The largest worker, in resident MiB.
    pub(crate) worker_memory: f64,
    pub(crate) first_failure: Option<String>,
}

/// The instructions of the proxy in user space for a call.
#[derive(Debug, Serialize)]
pub(crate) struct Instructions {
    #[serde(rename = "target")]
    pub(crate) setup: String,
    pub(crate) per_call: f64,
}

/// The translation of a long list in one direction.
#[derive(Debug, Serialize)]
pub(crate) struct ListFigures {
    pub(crate) elements: &'static str,
    pub(crate) way: &'static str,
    /// The bytes of the encoded message, and those of its JSON.
    pub(crate) message: usize,
    pub(crate) json: usize,
    /// Translations.
    pub(crate) per_second: Spread,
    /// The same by prost-reflect.
    pub(crate) per_second_reflect: Spread,
    /// The most bytes that a translation holds, its input included.
    pub(crate) memory: usize,
    pub(crate) memory_reflect: usize,
}

impl Figures {
    pub(crate) fn new(revision: String, index: Vec<f64>) -> Self {
        Self {
            revision,
            machine: machine(),
            rows: Vec::new(),
            flows: Vec::new(),
            memory: Vec::new(),
            idle_streams: None,
            slow_streams: None,
            instructions: Vec::new(),
            lists: Vec::new(),
            reports: Vec::new(),
            soak: None,
            index,
        }
    }

    /// The number of calls that got a wrong response or none, and of what went wrong in the soak.
    pub(crate) fn failures(&self) -> usize {
        let rows: usize = self.rows.iter().map(|row| row.failures).sum();
        rows + self.soak.as_ref().map_or(0, Soak::failures)
    }

    /// The rows without failures: a refused call is cheap, so a row with failures decides nothing.
    pub(crate) fn valid_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.failures == 0)
    }

    /// The valid row of a setup.
    pub(crate) fn find(
        &self,
        part: &str,
        backend: Backend,
        setup: &str,
        shape: Shape,
    ) -> Option<&Row> {
        self.valid_rows().find(|row| {
            row.part == part
                && row.backend == backend
                && row.setup == setup
                && row.shape == shape.to_string()
        })
    }
}

/// The processor, its cores, and the kernel.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |model| {
        model.trim_start_matches(['\t', ' ', ':'])
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// A row without figures.
#[cfg(test)]
pub(crate) fn test_row(part: &'static str, backend: Backend, shape: Shape) -> Row {
    Row {
        part,
        backend,
        round_trips: false,
        setup: String::new(),
        shape: shape.to_string(),
        bytes: 40,
        per_second: Spread::default(),
        p50: Spread::default(),
        p99: Spread::default(),
        cpu_between: None,
        cpu_application: None,
        memory: None,
        failures: 0,
        first_failure: None,
    }
}
