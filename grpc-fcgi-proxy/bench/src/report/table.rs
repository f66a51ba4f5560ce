//! Markdown tables: one for each backend, shape and size.

use std::fmt::Write;

use super::soak;
use crate::figures::{Figures, Row, Spread};
use crate::setups::Backend;

/// All tables.
pub(super) fn all(figures: &Figures) -> String {
    let mut out = format!(
        "\n{}; revision {}. Each figure is the median of the runs (minimum – maximum).\n",
        figures.machine, figures.revision
    );
    let mut rows = &figures.rows[..];
    while let Some(first) = rows.first() {
        let same = rows.iter().take_while(|row| key(row) == key(first)).count();
        let (these, rest) = rows.split_at(same);
        write_rows(&mut out, these);
        rows = rest;
    }
    if !figures.flows.is_empty() {
        write_flows(&mut out, figures);
    }
    if !figures.memory.is_empty() {
        write_memory(&mut out, figures);
    }
    write_held(&mut out, figures);
    if let Some(soak) = &figures.soak {
        out += &soak::text(soak);
    }
    out
}

/// The values that the rows of a table share.
fn key(row: &Row) -> (&'static str, &'static str, usize, bool) {
    (row.part, row.backend.name(), row.bytes, row.round_trips)
}

fn write_rows(out: &mut String, rows: &[Row]) {
    let first = &rows[0];
    let backend = first.backend.name();
    let what = if first.round_trips {
        "round trips of bidirectional calls"
    } else {
        "unary calls"
    };
    write(
        out,
        format_args!(
            "\n### {}: {what}, {backend}, {} B\n\n",
            first.part, first.bytes
        ),
    );
    out.push_str(
        "| setup | connections × streams | /s | p50 µs | p99 µs | CPU-s per 10,000 | of the application | MiB | failures |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let before = if row.backend == Backend::PhpFpmBefore {
            ", PHP before"
        } else {
            ""
        };
        write(
            out,
            format_args!(
                "| {}{before} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                row.setup,
                row.shape,
                row.per_second.text(0),
                row.p50.text(0),
                row.p99.text(0),
                spread(row.cpu_between.as_ref(), 3),
                spread(row.cpu_application.as_ref(), 3),
                row.memory
                    .as_ref()
                    .map_or_else(|| "–".to_owned(), |memory| format!("{:.1}", memory.max)),
                row.failures,
            ),
        );
    }
    for row in rows {
        if let Some(failure) = &row.first_failure {
            write(
                out,
                format_args!("\n{}, {}: {failure}\n", row.setup, row.shape),
            );
        }
    }
}

fn write_flows(out: &mut String, figures: &Figures) {
    out.push_str("\n### streams: one server stream, messages of 64 KiB\n\n| setup | MiB | GiB/s | MiB before | peak MiB |\n|---|---|---|---|---|\n");
    for flow in &figures.flows {
        let (rate, bytes) = (flow.gib_per_second.text(2), flow.bytes >> 20);
        write(
            out,
            format_args!(
                "| {} | {bytes} | {rate} | {:.1} | {:.1} |\n",
                flow.setup, flow.memory_before, flow.memory_peak
            ),
        );
    }
}

fn write_held(out: &mut String, figures: &Figures) {
    if let Some(idle) = &figures.idle_streams {
        let (streams, memory) = (idle.streams, idle.memory.text(1));
        write(
            out,
            format_args!(
                "\n### resident: {streams} idle streams\n\n{memory} KiB of the proxy for each\n"
            ),
        );
    }
    if let Some(slow) = &figures.slow_streams {
        write(
            out,
            format_args!(
                "\n### resident: {} streams with a message a second, for {} s\n\n\
                 alive: {}; latest answer: {:.0} ms; largest worker: {:.1} MiB\n",
                slow.streams, slow.seconds, slow.alive, slow.latest, slow.worker_memory
            ),
        );
        if let Some(failure) = &slow.first_failure {
            write(out, format_args!("\n{failure}\n"));
        }
    }
}

fn write_memory(out: &mut String, figures: &Figures) {
    out.push_str(
        "\n### memory: resident MiB\n\n| setup | idle | with waiting calls |\n|---|---|---|\n",
    );
    for memory in &figures.memory {
        let waiting = memory.waiting.as_ref().map_or_else(
            || "–".to_owned(),
            |waiting| format!("{} ({} calls)", waiting.text(1), memory.waiting_calls),
        );
        write(
            out,
            format_args!(
                "| {} | {} | {waiting} |\n",
                memory.setup,
                memory.idle.text(1)
            ),
        );
    }
}

fn spread(value: Option<&Spread>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.text(digits))
}

/// Writing to a string cannot fail.
fn write(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).ok();
}
