//! The marks of resident workers: against calls by themselves, in the same turn.
//!
//! What another server was measured against is the default mode: a new connection for each call, over TCP. The other marks
//! are against a call by itself over a Unix socket, so that they do not count what the socket saves.

use super::mark::{Bound, Mark, mark};
use super::marks::ratio;
use crate::figures::{Figures, Row, Spread};
use crate::load::Shape;
use crate::setups::Backend;

pub(super) const DEFAULT: &str = "grpc-fcgi-proxy";
const ALONE: &str = "grpc-fcgi-proxy, Unix socket";
const KEPT: &str = "grpc-fcgi-proxy, kept, Unix socket";
pub(super) const RESIDENT: &str = "grpc-fcgi-proxy, resident, Unix socket";

pub(super) fn of(figures: &Figures) -> Vec<Mark> {
    let mut marks = vec![php(figures)];
    for (backend, what, rate, cpu) in [
        (Backend::PhpFpm, "GetItem", 6.0, 0.14),
        (Backend::Nothing, "a handler that does nothing", 4.0, 0.24),
    ] {
        marks.extend(calls(figures, backend, what, rate, cpu));
    }
    marks.extend([slow_boot(figures), p50(figures)]);
    marks.extend(slow_streams(figures));
    marks.extend([round_trips(figures), idle_stream(figures), between(figures)]);
    marks
}

fn usual<'a>(figures: &'a Figures, backend: Backend, setup: &str) -> Option<&'a Row> {
    figures.find("resident", backend, setup, Shape::USUAL)
}

/// The ratio of a figure at 8×8: of resident workers, to that of another setup.
fn compared(
    figures: &Figures,
    backend: Backend,
    to: &str,
    figure: fn(&Row) -> Option<Spread>,
) -> Option<Spread> {
    let of = |setup| figure(usual(figures, backend, setup)?);
    ratio(of(RESIDENT).as_ref(), of(to).as_ref())
}

pub(super) fn rate(row: &Row) -> Option<Spread> {
    Some(row.per_second.clone())
}

/// Of the server and of PHP together.
pub(super) fn cpu(row: &Row) -> Option<Spread> {
    row.cpu_between
        .as_ref()?
        .plus(row.cpu_application.as_ref()?)
}

fn php(figures: &Figures) -> Mark {
    let cpu = |row: &Row| row.cpu_application.clone();
    mark(
        "resident, GetItem, 8×8: PHP's CPU per call",
        "a call by itself",
        compared(figures, Backend::PhpFpm, ALONE, cpu),
        Bound::AtMost(0.20),
        "×",
    )
}

fn calls(
    figures: &Figures,
    backend: Backend,
    what: &str,
    least_rate: f64,
    most_cpu: f64,
) -> [Mark; 2] {
    [
        mark(
            &format!("resident, {what}, 8×8: req/s"),
            "the default mode",
            compared(figures, backend, DEFAULT, rate),
            Bound::AtLeast(least_rate),
            "×",
        ),
        mark(
            &format!("resident, {what}, 8×8: CPU per call, with PHP"),
            "the default mode",
            compared(figures, backend, DEFAULT, cpu),
            Bound::AtMost(most_cpu),
            "×",
        ),
    ]
}

fn slow_boot(figures: &Figures) -> Mark {
    mark(
        "resident, a boot of 5 ms, 8×8: req/s",
        "a call by itself",
        compared(figures, Backend::SlowBoot, ALONE, rate),
        Bound::AtLeast(20.0),
        "×",
    )
}

fn p50(figures: &Figures) -> Mark {
    let of = |setup| {
        let row = figures.find("resident", Backend::PhpFpm, setup, Shape::SINGLE);
        row.map(|row| &row.p50)
    };
    mark(
        "resident, GetItem, 1×1: p50",
        "a call by itself",
        ratio(of(RESIDENT), of(ALONE)),
        Bound::AtMost(0.5),
        "×",
    )
}

fn between(figures: &Figures) -> Mark {
    let cpu = |row: &Row| row.cpu_between.clone();
    mark(
        "resident, GetItem, 8×8: the proxy's CPU per call",
        "kept",
        compared(figures, Backend::PhpFpm, KEPT, cpu),
        Bound::AtMost(1.0),
        "×",
    )
}

fn slow_streams(figures: &Figures) -> [Mark; 3] {
    let slow = figures.slow_streams.as_ref();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let alive = slow.and_then(|slow| Spread::of([slow.alive as f64 / slow.streams as f64 * 100.0]));
    let what = |what: &str| {
        let of = "resident, 5,000 streams, 2 workers, a message a second each, 60 s";
        format!("{of}: {what}")
    };
    [
        mark(&what("alive"), "", alive, Bound::AtLeast(100.0), "%"),
        mark(
            &what("latest answer"),
            "after its message was due",
            slow.and_then(|slow| Spread::of([slow.latest])),
            Bound::AtMost(1000.0),
            "ms",
        ),
        mark(
            &what("memory of the larger worker"),
            "",
            slow.and_then(|slow| Spread::of([slow.worker_memory])),
            Bound::AtMost(256.0),
            "MiB",
        ),
    ]
}

fn round_trips(figures: &Figures) -> Mark {
    let rate = |setup| {
        let mut rows = figures.valid_rows();
        let row = rows.find(|row| row.part == "resident" && row.round_trips && row.setup == setup);
        row.map(|row| &row.per_second)
    };
    mark(
        "resident, 64 bidirectional calls, 2 workers: round trips/s",
        "8 in 8 workers by themselves",
        ratio(rate(RESIDENT), rate(ALONE)),
        Bound::AtLeast(5.0),
        "×",
    )
}

fn idle_stream(figures: &Figures) -> Mark {
    let idle = figures.idle_streams.as_ref();
    mark(
        "resident, an idle stream: memory of the proxy",
        "",
        idle.map(|idle| idle.memory.clone()),
        Bound::AtMost(16.0),
        "KiB",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::test_row;

    #[test]
    fn the_cpu_time_of_proxy_and_php_counts_together() {
        let row = |setup: &str, between, application| Row {
            setup: setup.to_owned(),
            cpu_between: Spread::of([between]),
            cpu_application: Spread::of([application]),
            ..test_row("resident", Backend::Nothing, Shape::USUAL)
        };
        let mut figures = Figures::new(String::new(), Vec::new());
        figures.rows = vec![row(ALONE, 1.0, 3.0), row(RESIDENT, 0.5, 0.5)];
        let got = compared(&figures, Backend::Nothing, ALONE, cpu);
        assert_eq!(got, Spread::of([0.25]));
        assert_eq!(compared(&figures, Backend::Nothing, KEPT, cpu), None);
    }
}
