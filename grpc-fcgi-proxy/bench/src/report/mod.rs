//! What was measured: as tables, as JSON, as plots, and against the marks.

mod marks;
mod plot;
mod table;

use std::fs;
use std::io::Write;

use serde::Serialize;

use crate::arguments::Run;
pub(crate) use crate::figures::Spread;
use crate::setups::Backend;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) revision: String,
    pub(crate) machine: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) index: Vec<f64>,
}

/// Calls of one target, in one shape.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) part: &'static str,
    pub(crate) backend: Backend,
    pub(crate) round_trips: bool,
    pub(crate) target: String,
    pub(crate) shape: String,
    pub(crate) bytes: usize,
    pub(crate) per_second: Spread,
    /// In microseconds.
    pub(crate) p50: Spread,
    pub(crate) p99: Spread,
    /// CPU seconds of what is between client and application, for 10,000 calls.
    pub(crate) cpu_between: Option<Spread>,
    /// And of the application.
    pub(crate) cpu_application: Option<Spread>,
    /// Resident MiB of what is between them, when the run ended.
    pub(crate) memory: Option<Spread>,
    pub(crate) failures: usize,
    pub(crate) first_failure: Option<String>,
}

/// One long stream.
#[derive(Debug, Serialize)]
pub(crate) struct Flow {
    pub(crate) target: String,
    pub(crate) bytes: u64,
    pub(crate) gib_per_second: Spread,
    /// Resident MiB.
    pub(crate) memory_before: f64,
    pub(crate) memory_most: f64,
}

/// Resident MiB of one target.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) target: String,
    pub(crate) idle: Spread,
    pub(crate) waiting: Option<Spread>,
    pub(crate) waiting_calls: usize,
}

impl Report {
    pub(crate) fn begin(flags: &Run) -> Self {
        Self {
            revision: flags.revision.clone(),
            machine: machine(),
            rows: Vec::new(),
            flows: Vec::new(),
            memory: Vec::new(),
            index: flags.index.clone(),
        }
    }

    /// Answers that were wrong, or did not come.
    pub(crate) fn failures(&self) -> usize {
        self.rows.iter().map(|row| row.failures).sum()
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

/// Writes the report to stdout and wherever it is wanted.
pub(crate) fn write(flags: &Run, report: &Report) -> anyhow::Result<()> {
    let marks = marks::of(report);
    let text = format!("{}{}", marks::table(&marks), table::all(report));
    std::io::stdout().write_all(text.as_bytes())?;
    if let Some(path) = &flags.markdown {
        fs::write(path, &text)?;
    }
    if let Some(path) = &flags.json {
        let all = serde_json::json!({"report": report, "marks": marks});
        fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    if let Some(folder) = &flags.plots {
        fs::create_dir_all(folder)?;
        for (name, svg) in plot::all(report) {
            fs::write(folder.join(name), svg)?;
        }
    }
    Ok(())
}
