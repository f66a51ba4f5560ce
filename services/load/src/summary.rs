//! The summary: a table for people, and JSON for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{
    operation::Operation,
    tally::{Requests, Tally},
    watchers::Watched,
};

/// What has happened, from the first request to the last. Times are in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    seconds: f64,
    all: Row,
    operations: BTreeMap<&'static str, Row>,
    watchers: Watching,
}

/// The requests of an operation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    count: u64,
    ok: u64,
    out_of_stock: u64,
    limited: u64,
    failed: u64,
    failed_percent: f64,
    failures: BTreeMap<String, u64>,
    #[serde(serialize_with = "milliseconds")]
    p50: Duration,
    #[serde(serialize_with = "milliseconds")]
    p95: Duration,
    #[serde(serialize_with = "milliseconds")]
    p99: Duration,
    #[serde(serialize_with = "milliseconds")]
    max: Duration,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Watching {
    count: u32,
    #[serde(flatten)]
    seen: Watched,
}

pub(crate) fn milliseconds<S: Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64() * 1000.0)
}

impl From<&Requests> for Row {
    fn from(requests: &Requests) -> Self {
        let failures = requests.failed.iter();
        Self {
            count: requests.count(),
            ok: requests.ok,
            out_of_stock: requests.out_of_stock,
            limited: requests.limited,
            failed: requests.failed(),
            failed_percent: requests.failed_percent(),
            failures: failures
                .map(|(failure, &count)| (failure.to_string(), count))
                .collect(),
            p50: requests.latency(0.5),
            p95: requests.latency(0.95),
            p99: requests.latency(0.99),
            max: requests.longest(),
        }
    }
}

impl Summary {
    pub(crate) fn new(tally: &Tally, watchers: u32, seen: Watched, time: Duration) -> Self {
        let each = tally.all();
        let mut all = Requests::default();
        each.iter().for_each(|requests| all.merge(requests));
        let made = Operation::ALL
            .into_iter()
            .zip(&each)
            .filter(|(_, it)| it.count() > 0);
        Self {
            seconds: time.as_secs_f64(),
            all: Row::from(&all),
            operations: made
                .map(|(it, requests)| (it.name(), Row::from(requests)))
                .collect(),
            watchers: Watching {
                count: watchers,
                seen,
            },
        }
    }

    pub(crate) fn failed_percent(&self) -> f64 {
        self.all.failed_percent
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<13}{:>9}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "operation",
            "count",
            "failed",
            "no stock",
            "limited",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "max ms"
        )?;
        let in_order = Operation::ALL.iter().map(|it| it.name());
        for name in in_order {
            if let Some(row) = self.operations.get(name) {
                write_row(f, name, row)?;
            }
        }
        write_row(f, "all", &self.all)?;
        if self.all.failed > 0 {
            writeln!(
                f,
                "failed: {:.3} % ({})",
                self.all.failed_percent,
                listed(&self.all.failures)
            )?;
        }
        let Watching { count, seen } = &self.watchers;
        if *count > 0 {
            writeln!(
                f,
                "watchers: {count}, which received {} events; {} streams ended, {} were refused, {} events were wrong; \
                 the longest time without events because of that: {:.1} s",
                seen.events,
                seen.ended,
                seen.refused,
                seen.wrong,
                seen.longest_gap.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, row: &Row) -> fmt::Result {
    write!(
        f,
        "{name:<13}{:>9}{:>8}{:>9}{:>9}",
        row.count, row.failed, row.out_of_stock, row.limited
    )?;
    for time in [row.p50, row.p95, row.p99, row.max] {
        write!(f, "{:>9.1}", time.as_secs_f64() * 1000.0)?;
    }
    writeln!(f)
}

/// Such as `timed out 3, status 503 1`.
pub(crate) fn listed<K: fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let mut text = String::new();
    for (name, count) in counts {
        let comma = if text.is_empty() { "" } else { ", " };
        // A string takes everything.
        let _ = write!(text, "{comma}{name}: {count}");
    }
    text
}
