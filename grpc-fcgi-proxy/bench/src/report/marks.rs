//! The marks to reach: ratios within one run, since figures of two machines cannot be compared.

use super::mark::{Bound, Mark, mark};
use super::{front_end_marks, index, resident_marks, soak};
use crate::figures::{Figures, Spread};
use crate::load::Shape;
use crate::setups::{Backend, WORKERS};

const PROXY: &str = "grpc-fcgi-proxy";
const ENVOY: &str = "Envoy + nginx";
const NGINX: &str = "nginx, HTTP/1.1";
const DIRECT: &str = "direct FastCGI";

/// All marks, with new connections and with kept ones where both are measured.
pub(super) fn of(figures: &Figures) -> Vec<Mark> {
    let mut marks = Vec::new();
    for kept in ["", ", kept"] {
        marks.extend(trivial(figures, kept));
    }
    // Kept connections pin the workers: without the proxy's queue, only as many callers as workers can call.
    for (kept, direct) in [("", Shape::USUAL), (", kept", Shape::new(WORKERS, 1))] {
        let name = |setup: &str| format!("{setup}{kept}");
        let rate = |setup, shape| {
            let row = figures.find("php", Backend::PhpFpm, &name(setup), shape)?;
            Some(&row.per_second)
        };
        let ratio = ratio(rate(PROXY, Shape::USUAL), rate(DIRECT, direct));
        marks.push(mark(
            &format!("php-fpm, 8×8{kept}: req/s"),
            "direct",
            ratio,
            Bound::AtLeast(0.90),
            "×",
        ));
    }
    marks.extend(memory(figures));
    marks.extend(streams(figures));
    for kept in ["", ", kept"] {
        let what = format!("CPU per call as load grows{kept}");
        marks.push(mark(
            &what,
            "the least",
            growth(figures, &format!("{PROXY}{kept}")),
            Bound::AtMost(1.15),
            "×",
        ));
    }
    marks.push(php_cpu(figures));
    marks.extend(resident_marks::of(figures));
    marks.extend(front_end_marks::of(figures));
    marks.extend(soak::marks(figures));
    marks.extend(index::marks(figures));
    let through_mesh = match figures.index[..] {
        [now, sequential] => Spread::of([now / sequential]),
        _ => None,
    };
    marks.push(mark(
        "/index through the mesh, p50",
        "one call after the other",
        through_mesh,
        Bound::AtMost(0.5),
        "×",
    ));
    marks
}

fn trivial(figures: &Figures, kept: &str) -> [Mark; 4] {
    let find = |setup: &str, shape| {
        figures.find("unary", Backend::Trivial, &format!("{setup}{kept}"), shape)
    };
    let usual = |setup: &str| find(setup, Shape::USUAL);
    let rate = |setup: &str| usual(setup).map(|row| &row.per_second);
    let cpu = |setup: &str| usual(setup)?.cpu_between.as_ref();
    let p50 = |setup: &str| find(setup, Shape::SINGLE).map(|row| &row.p50);
    let more = p50(PROXY)
        .zip(p50(DIRECT))
        .and_then(|(proxy, direct)| proxy.minus(direct));
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

fn memory(figures: &Figures) -> [Mark; 2] {
    let proxy = figures.memory.iter().find(|memory| memory.setup == PROXY);
    let idle = proxy.map(|memory| memory.idle.clone());
    let more = proxy.and_then(|memory| memory.waiting.as_ref()?.minus(&memory.idle));
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

fn streams(figures: &Figures) -> [Mark; 3] {
    let round_trip = |setup: &str| {
        let row = figures.find("streams", Backend::PhpFpm, setup, Shape::SINGLE);
        row.map(|row| &row.p50)
    };
    let flow = |setup: &str| figures.flows.iter().find(|flow| flow.setup == setup);
    let rate = |setup: &str| flow(setup).map(|flow| &flow.gib_per_second);
    let growth = flow(PROXY).and_then(|flow| Spread::of([flow.memory_peak - flow.memory_before]));
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
        // The bound is less than three of its messages, whatever the length of the stream.
        mark(
            "long server stream: memory",
            "more than before",
            growth,
            Bound::AtMost(1.0),
            "MiB",
        ),
    ]
}

/// The ratio of the highest CPU time of a call, in any shape, to the lowest.
fn growth(figures: &Figures, setup: &str) -> Option<Spread> {
    let rows = || {
        let all = figures.rows.iter();
        all.filter(|row| row.part == "growth" && row.setup == setup)
    };
    // Without each shape the ratio does not show how the cost grows.
    if rows().any(|row| row.failures > 0) {
        return None;
    }
    let costs = || rows().filter_map(|row| Some(row.cpu_between.as_ref()?.median));
    let (highest, lowest) = (costs().reduce(f64::max)?, costs().reduce(f64::min)?);
    Spread::of([highest / lowest])
}

fn php_cpu(figures: &Figures) -> Mark {
    let cost = |backend| {
        let mut rows = figures.valid_rows();
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

pub(super) fn ratio(value: Option<&Spread>, of: Option<&Spread>) -> Option<Spread> {
    value?.ratio(of?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Row, test_row};

    #[test]
    fn growth_with_a_failure_in_one_shape_is_not_measured() {
        let row = |shape, cpu, failures| Row {
            setup: PROXY.to_owned(),
            cpu_between: Spread::of([cpu]),
            failures,
            ..test_row("growth", Backend::Trivial, shape)
        };
        let figures = |failures| {
            let mut figures = Figures::new(String::new(), Vec::new());
            figures.rows = vec![row(Shape::SINGLE, 1.0, 0), row(Shape::USUAL, 2.0, failures)];
            figures
        };
        assert_eq!(growth(&figures(0), PROXY), Spread::of([2.0]));
        assert_eq!(growth(&figures(1), PROXY), None);
        let usual = Shape::USUAL;
        assert!(
            figures(0)
                .find("growth", Backend::Trivial, PROXY, usual)
                .is_some()
        );
        assert!(
            figures(1)
                .find("growth", Backend::Trivial, PROXY, usual)
                .is_none()
        );
    }
}
