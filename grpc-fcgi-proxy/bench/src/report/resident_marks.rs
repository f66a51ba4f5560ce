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

/// Resident workers in the tables.
struct Resident {
    setup: &'static str,
    label: &'static str,
}

const PLAIN: Resident = Resident {
    setup: RESIDENT,
    label: "resident",
};
const WITH_JIT: Resident = Resident {
    setup: "grpc-fcgi-proxy, resident with JIT, Unix socket",
    label: "resident with JIT",
};

pub(super) fn of(figures: &Figures) -> Vec<Mark> {
    let mut marks = of_either(figures, &PLAIN);
    marks.push(slow_boot(figures));
    marks.extend(slow_streams(figures));
    marks.extend([idle_stream(figures), between(figures)]);
    marks.extend(of_either(figures, &WITH_JIT));
    marks
}

/// Those that are of interest with PHP's just-in-time compiler, too.
fn of_either(figures: &Figures, resident: &Resident) -> Vec<Mark> {
    let mut marks = vec![php(figures, resident)];
    for (backend, what, rate, cpu) in [
        (Backend::PhpFpm, "GetItem", 6.0, 0.14),
        (Backend::Nothing, "a handler that does nothing", 4.0, 0.24),
    ] {
        marks.extend(calls(figures, resident, backend, what, rate, cpu));
    }
    marks.extend([p50(figures, resident), round_trips(figures, resident)]);
    marks
}

fn usual<'a>(figures: &'a Figures, backend: Backend, setup: &str) -> Option<&'a Row> {
    figures.find("resident", backend, setup, Shape::USUAL)
}

/// The ratio of a figure at 8×8: of resident workers, to that of another setup.
fn compared(
    figures: &Figures,
    resident: &Resident,
    backend: Backend,
    to: &str,
    figure: fn(&Row) -> Option<Spread>,
) -> Option<Spread> {
    let of = |setup| figure(usual(figures, backend, setup)?);
    ratio(of(resident.setup).as_ref(), of(to).as_ref())
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

fn php(figures: &Figures, resident: &Resident) -> Mark {
    let cpu = |row: &Row| row.cpu_application.clone();
    mark(
        &format!("{}, GetItem, 8×8: PHP's CPU per call", resident.label),
        "a call by itself",
        compared(figures, resident, Backend::PhpFpm, ALONE, cpu),
        Bound::AtMost(0.20),
        "×",
    )
}

fn calls(
    figures: &Figures,
    resident: &Resident,
    backend: Backend,
    what: &str,
    least_rate: f64,
    most_cpu: f64,
) -> [Mark; 2] {
    let label = resident.label;
    [
        mark(
            &format!("{label}, {what}, 8×8: req/s"),
            "the default mode",
            compared(figures, resident, backend, DEFAULT, rate),
            Bound::AtLeast(least_rate),
            "×",
        ),
        mark(
            &format!("{label}, {what}, 8×8: CPU per call, with PHP"),
            "the default mode",
            compared(figures, resident, backend, DEFAULT, cpu),
            Bound::AtMost(most_cpu),
            "×",
        ),
    ]
}

fn slow_boot(figures: &Figures) -> Mark {
    mark(
        "resident, a boot of 5 ms, 8×8: req/s",
        "a call by itself",
        compared(figures, &PLAIN, Backend::SlowBoot, ALONE, rate),
        Bound::AtLeast(20.0),
        "×",
    )
}

fn p50(figures: &Figures, resident: &Resident) -> Mark {
    let of = |setup| {
        let row = figures.find("resident", Backend::PhpFpm, setup, Shape::SINGLE);
        row.map(|row| &row.p50)
    };
    mark(
        &format!("{}, GetItem, 1×1: p50", resident.label),
        "a call by itself",
        ratio(of(resident.setup), of(ALONE)),
        Bound::AtMost(0.5),
        "×",
    )
}

fn between(figures: &Figures) -> Mark {
    let cpu = |row: &Row| row.cpu_between.clone();
    mark(
        "resident, GetItem, 8×8: the proxy's CPU per call",
        "kept",
        compared(figures, &PLAIN, Backend::PhpFpm, KEPT, cpu),
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

fn round_trips(figures: &Figures, resident: &Resident) -> Mark {
    let rate = |setup| {
        let mut rows = figures.valid_rows();
        let row = rows.find(|row| row.part == "resident" && row.round_trips && row.setup == setup);
        row.map(|row| &row.per_second)
    };
    mark(
        &format!(
            "{}, 64 bidirectional calls, 2 workers: round trips/s",
            resident.label
        ),
        "8 in 8 workers by themselves",
        ratio(rate(resident.setup), rate(ALONE)),
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
        let got = compared(&figures, &PLAIN, Backend::Nothing, ALONE, cpu);
        assert_eq!(got, Spread::of([0.25]));
        assert_eq!(
            compared(&figures, &PLAIN, Backend::Nothing, KEPT, cpu),
            None
        );
    }
}
