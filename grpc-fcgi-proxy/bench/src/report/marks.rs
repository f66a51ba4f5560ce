//! What is to be reached: ratios within one run, since figures of two machines say nothing of each other.

use serde::Serialize;

use super::{Report, Row, Spread};
use crate::load::Shape;
use crate::parts::{ALONE, USUAL};
use crate::setups::{Backend, WORKERS};

const PROXY: &str = "grpc-fcgi-proxy";
const ENVOY: &str = "Envoy + nginx";
const NGINX: &str = "nginx, HTTP/1.1";
const DIRECT: &str = "direct FastCGI";

/// One of them, and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    what: String,
    wanted: String,
    /// What it was; none if not measured.
    got: Option<Spread>,
    unit: &'static str,
    reached: Option<bool>,
}

/// On which side of its bound a value must be.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// All of them, of new connections and of kept ones where there are both.
pub(super) fn of(report: &Report) -> Vec<Mark> {
    let mut marks = Vec::new();
    for kept in ["", ", kept"] {
        marks.extend(trivial(report, kept));
    }
    // Whose kept connections pin the workers has as many callers as there are workers.
    for (kept, direct) in [("", USUAL), (", kept", Shape::new(WORKERS, 1))] {
        let name = |target: &str| format!("{target}{kept}");
        let rate = |target, shape| {
            let row = report.find("php", Backend::PhpFpm, &name(target), shape)?;
            Some(&row.per_second)
        };
        let ratio = ratio(rate(PROXY, USUAL), rate(DIRECT, direct));
        marks.push(mark(
            &format!("php-fpm, 8×8{kept}: req/s"),
            "direct",
            ratio,
            Bound::AtLeast(0.90),
            "×",
        ));
    }
    marks.extend(memory(report));
    marks.extend(streams(report));
    for kept in ["", ", kept"] {
        let what = format!("CPU per call as load grows{kept}");
        marks.push(mark(
            &what,
            "the least",
            growth(report, &format!("{PROXY}{kept}")),
            Bound::AtMost(1.15),
            "×",
        ));
    }
    marks.push(php_cpu(report));
    let index = match report.index[..] {
        [now, sequential] => Spread::of([now / sequential]),
        _ => None,
    };
    marks.push(mark(
        "/index through the mesh, p50",
        "one call after the other",
        index,
        Bound::AtMost(0.5),
        "×",
    ));
    marks
}

fn trivial(report: &Report, kept: &str) -> [Mark; 4] {
    let find = |target: &str, shape| {
        report.find("unary", Backend::Trivial, &format!("{target}{kept}"), shape)
    };
    let usual = |target: &str| find(target, USUAL);
    let rate = |target: &str| usual(target).map(|row| &row.per_second);
    let cpu = |target: &str| usual(target)?.cpu_between.as_ref();
    let p50 = |target: &str| find(target, ALONE).map(|row| &row.p50);
    let more = p50(PROXY)
        .zip(p50(DIRECT))
        .and_then(|(proxy, direct)| proxy.more(direct));
    let what = |what: &str| format!("trivial application{kept}, {what}");
    [
        mark(
            &what("8×8: req/s"),
            "Envoy + nginx",
            ratio(rate(PROXY), rate(ENVOY)),
            Bound::AtLeast(2.0),
            "×",
        ),
        mark(
            &what("8×8: CPU per call"),
            "Envoy + nginx",
            ratio(cpu(PROXY), cpu(ENVOY)),
            Bound::AtMost(0.35),
            "×",
        ),
        mark(
            &what("8×8: CPU per call"),
            "nginx, HTTP/1.1",
            ratio(cpu(PROXY), cpu(NGINX)),
            Bound::AtMost(2.0),
            "×",
        ),
        mark(
            &what("1×1: p50"),
            "more than direct",
            more,
            Bound::AtMost(60.0),
            "µs",
        ),
    ]
}

fn memory(report: &Report) -> [Mark; 2] {
    let proxy = report.memory.iter().find(|memory| memory.target == PROXY);
    let idle = proxy.map(|memory| memory.idle.clone());
    let more = proxy.and_then(|memory| memory.waiting.as_ref()?.more(&memory.idle));
    [
        mark("resident memory, idle", "", idle, Bound::AtMost(6.0), "MiB"),
        mark(
            "resident memory, 2,000 waiting calls",
            "more than idle",
            more,
            Bound::AtMost(16.0),
            "MiB",
        ),
    ]
}

fn streams(report: &Report) -> [Mark; 3] {
    let round_trip = |target: &str| {
        let row = report.find("streams", Backend::PhpFpm, target, ALONE);
        row.map(|row| &row.p50)
    };
    let flow = |target: &str| report.flows.iter().find(|flow| flow.target == target);
    let rate = |target: &str| flow(target).map(|flow| &flow.gib_per_second);
    let growth = flow(PROXY).and_then(|flow| Spread::of([flow.memory_most - flow.memory_before]));
    [
        mark(
            "bidirectional round trip, php-fpm: p50",
            "direct",
            ratio(round_trip(PROXY), round_trip(DIRECT)),
            Bound::AtMost(1.3),
            "×",
        ),
        mark(
            "long server stream: rate",
            "direct",
            ratio(rate(PROXY), rate(DIRECT)),
            Bound::AtLeast(0.7),
            "×",
        ),
        // Less than three of its messages, whatever its length.
        mark(
            "long server stream: memory",
            "more than before",
            growth,
            Bound::AtMost(1.0),
            "MiB",
        ),
    ]
}

/// The most that a call costs, in any shape, for the least.
fn growth(report: &Report, target: &str) -> Option<Spread> {
    let rows = || {
        let all = report.rows.iter();
        all.filter(|row| row.part == "growth" && row.target == target)
    };
    // Without one of the shapes it says nothing of how the cost grows.
    if rows().any(|row| row.failures > 0) {
        return None;
    }
    let costs = || rows().filter_map(|row| Some(row.cpu_between.as_ref()?.median));
    let (most, least) = (costs().reduce(f64::max)?, costs().reduce(f64::min)?);
    Spread::of([most / least])
}

fn php_cpu(report: &Report) -> Mark {
    let cost = |backend| {
        let mut rows = report.right();
        let row = rows.find(|row| row.part == "php-cpu" && row.backend == backend);
        row?.cpu_application.as_ref()
    };
    let ratio = ratio(cost(Backend::PhpFpm), cost(Backend::PhpFpmBefore));
    mark(
        "PHP's own CPU per GetItem",
        "before",
        ratio,
        Bound::AtMost(0.5),
        "×",
    )
}

impl Report {
    /// The rows whose answers were all right: to refuse a call is cheap, so the others decide nothing.
    fn right(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.failures == 0)
    }

    fn find(&self, part: &str, backend: Backend, target: &str, shape: Shape) -> Option<&Row> {
        self.right().find(|row| {
            row.part == part
                && row.backend == backend
                && row.target == target
                && row.shape == shape.to_string()
        })
    }
}

fn ratio(value: Option<&Spread>, of: Option<&Spread>) -> Option<Spread> {
    value?.ratio(of?)
}

fn mark(what: &str, compared: &str, got: Option<Spread>, bound: Bound, unit: &'static str) -> Mark {
    let (word, limit) = match bound {
        Bound::AtLeast(limit) => ("at least", limit),
        Bound::AtMost(limit) => ("at most", limit),
    };
    Mark {
        what: what.to_owned(),
        wanted: format!("{word} {limit} {unit} {compared}")
            .trim_end()
            .to_owned(),
        reached: got.as_ref().map(|got| match bound {
            Bound::AtLeast(limit) => got.median >= limit,
            Bound::AtMost(limit) => got.median <= limit,
        }),
        got,
        unit,
    }
}

/// As Markdown.
pub(super) fn table(marks: &[Mark]) -> String {
    let mut out = "### The marks\n\n| mark | wanted | is | |\n|---|---|---|---|\n".to_owned();
    for mark in marks {
        let got = mark.got.as_ref().map_or_else(
            || "–".to_owned(),
            |got| format!("{} {}", got.text(2), mark.unit),
        );
        let reached = match mark.reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "not measured",
        };
        out += &format!("| {} | {} | {got} | {reached} |\n", mark.what, mark.wanted);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_with_a_wrong_answer_in_one_shape_is_not_measured() {
        let row = |shape: &str, cpu, failures| Row {
            part: "growth",
            backend: Backend::Trivial,
            round_trips: false,
            target: PROXY.to_owned(),
            shape: shape.to_owned(),
            bytes: 40,
            per_second: Spread::default(),
            p50: Spread::default(),
            p99: Spread::default(),
            cpu_between: Spread::of([cpu]),
            cpu_application: None,
            memory: None,
            failures,
            first_failure: None,
        };
        let report = |failures| Report {
            revision: String::new(),
            machine: String::new(),
            rows: vec![row("1×1", 1.0, 0), row("8×8", 2.0, failures)],
            flows: Vec::new(),
            memory: Vec::new(),
            index: Vec::new(),
        };
        assert_eq!(growth(&report(0), PROXY), Spread::of([2.0]));
        assert_eq!(growth(&report(1), PROXY), None);
        let usual = USUAL;
        assert!(
            report(0)
                .find("growth", Backend::Trivial, PROXY, usual)
                .is_some()
        );
        assert!(
            report(1)
                .find("growth", Backend::Trivial, PROXY, usual)
                .is_none()
        );
    }

    #[test]
    fn a_mark_says_whether_its_bound_holds() {
        let reached = |got: &[f64], bound| {
            let got = Spread::of(got.iter().copied());
            mark("x", "y", got, bound, "×").reached
        };
        assert_eq!(reached(&[2.0], Bound::AtLeast(2.0)), Some(true));
        assert_eq!(reached(&[1.9], Bound::AtLeast(2.0)), Some(false));
        assert_eq!(
            reached(&[0.34, 0.36, 0.36], Bound::AtMost(0.35)),
            Some(false)
        );
        assert_eq!(reached(&[], Bound::AtMost(0.35)), None);
    }
}
