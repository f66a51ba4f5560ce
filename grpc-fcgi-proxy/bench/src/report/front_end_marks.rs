//! The marks of the other protocols: against gRPC, in the same turn.

use super::mark::{Bound, Mark, mark};
use super::marks::ratio;
use crate::figures::{Figures, Row, Spread};
use crate::load::Shape;
use crate::setups::Backend;

const OFF: &str = "grpc-fcgi-proxy, resident, Unix socket";
const ON: &str = "grpc-fcgi-proxy, resident, Unix socket, front ends on";
const CONNECT: &str = "Connect";
const JSON: &str = "Connect with JSON";
const TRANSCODER: &str = "Envoy's transcoder + grpc-fcgi-proxy, resident, Unix socket";

pub(super) fn of(figures: &Figures) -> Vec<Mark> {
    let calls = calls(figures);
    calls.into_iter().chain(lists(figures)).collect()
}

fn calls(figures: &Figures) -> [Mark; 5] {
    let row = |setup| figures.find("front-ends", Backend::PhpFpm, setup, Shape::USUAL);
    let cpu = |setup| row(setup).and_then(|row: &Row| row.cpu_between.as_ref());
    let more = |setup, than| cpu(setup)?.minus(cpu(than)?);
    let instructions = |setup: &str| {
        let mut all = figures.instructions.iter();
        all.find(|each| each.setup == setup)
            .map(|each| each.per_call)
    };
    let on_off = instructions(ON).zip(instructions(OFF));
    [
        mark(
            "gRPC with front ends on: the proxy's instructions per call",
            "front ends off",
            on_off.and_then(|(on, off)| Spread::of([on / off])),
            Bound::AtMost(1.05),
            "×",
        ),
        mark(
            "gRPC with front ends on, GetItem, 8×8: the proxy's CPU per call",
            "front ends off",
            ratio(cpu(ON), cpu(OFF)),
            Bound::AtMost(1.05),
            "×",
        ),
        mark(
            "Connect, GetItem, 8×8: the proxy's CPU per call",
            "gRPC",
            ratio(cpu(CONNECT), cpu(ON)),
            Bound::AtMost(1.1),
            "×",
        ),
        mark(
            "Connect with JSON, GetItem, 8×8: the proxy's CPU per call",
            "more than gRPC",
            more(JSON, ON).map(|more| more.times(100.0)),
            Bound::AtMost(15.0),
            "µs",
        ),
        mark(
            "Connect with JSON, GetItem, 8×8: the proxy's CPU per call",
            "Envoy's transcoder with the proxy",
            ratio(cpu(JSON), cpu(TRANSCODER)),
            Bound::AtMost(1.0),
            "×",
        ),
    ]
}

/// For each list and direction: the rate in MiB of JSON, and the memory as a multiple of the larger of message and JSON.
fn lists(figures: &Figures) -> Vec<Mark> {
    let lists = figures.lists.iter().flat_map(|list| {
        let what = format!("a JSON list of 1 MiB, {}, {}", list.elements, list.way);
        let rate = list.per_second.times(mib(list.json));
        let memory = Spread::of([mib(list.memory) / mib(list.message.max(list.json))]);
        [
            mark(
                &format!("{what}: JSON per second"),
                "",
                Some(rate),
                Bound::AtLeast(100.0),
                "MiB",
            ),
            mark(
                &format!("{what}: memory"),
                "the message",
                memory,
                Bound::AtMost(4.0),
                "×",
            ),
        ]
    });
    lists.collect()
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::test_row;

    #[test]
    fn what_json_adds_is_in_microseconds_per_call() {
        let row = |setup: &str, cpu| Row {
            setup: setup.to_owned(),
            cpu_between: Spread::of([cpu]),
            ..test_row("front-ends", Backend::PhpFpm, Shape::USUAL)
        };
        let mut figures = Figures::new(String::new(), Vec::new());
        // 20 and 30 µs.
        figures.rows = vec![row(ON, 0.2), row(JSON, 0.3)];
        let table = super::super::mark::table(&of(&figures), false);
        assert!(
            table.contains("| at most 15 µs more than gRPC | 10.00 µs | met |"),
            "{table}"
        );
    }
}
