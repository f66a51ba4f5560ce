//! The peers of the part of resident workers beside those, relative to the same figure of calls by themselves in the same turn.

use super::marks::ratio;
use super::resident_marks::{DEFAULT, RESIDENT, cpu, rate};
use crate::figures::{Figures, Row, Spread};
use crate::load::Shape;
use crate::setups::Backend;

const PROXY: &str = "grpc-fcgi-proxy";

/// The table; empty without peers.
pub(super) fn table(figures: &Figures) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in figures.valid_rows().filter(|row| row.part == "resident") {
        let is_peer = !row.setup.starts_with(PROXY);
        if is_peer && !names.contains(&&*row.setup) {
            names.push(&row.setup);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let mut out = "\n### Peers and resident workers, relative to the default mode\n\n\
         | application, shape | setup | /s | CPU per call, with PHP | p50 |\n|---|---|---|---|---|\n"
        .to_owned();
    names.push(RESIDENT);
    for (backend, shape, what) in [
        (Backend::PhpFpm, Shape::USUAL, "GetItem, 8×8"),
        (Backend::PhpFpm, Shape::SINGLE, "GetItem, 1×1"),
        (
            Backend::Nothing,
            Shape::USUAL,
            "a handler that does nothing, 8×8",
        ),
    ] {
        for name in &names {
            let of = |figure: fn(&Row) -> Option<Spread>| {
                let of = |setup| figure(figures.find("resident", backend, setup, shape)?);
                let ratio = ratio(of(name).as_ref(), of(DEFAULT).as_ref());
                ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{} ×", ratio.text(2)))
            };
            let p50 = |row: &Row| Some(row.p50.clone());
            let (rate, cpu, p50) = (of(rate), of(cpu), of(p50));
            out += &format!("| {what} | {name} | {rate} | {cpu} | {p50} |\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::test_row;

    #[test]
    fn a_peer_is_compared_with_the_default_mode_and_stands_beside_resident_workers() {
        let row = |setup: &str, rate| Row {
            setup: setup.to_owned(),
            per_second: Spread::of([rate]).unwrap(),
            ..test_row("resident", Backend::PhpFpm, Shape::USUAL)
        };
        let mut figures = Figures::new(String::new(), Vec::new());
        figures.rows = vec![row(DEFAULT, 100.0), row(RESIDENT, 700.0)];
        assert_eq!(table(&figures), "");
        figures.rows.push(row("Peer", 300.0));
        let table = table(&figures);
        assert!(
            table.contains("| GetItem, 8×8 | Peer | 3.00 × | – |"),
            "{table}"
        );
        assert!(
            table.contains(&format!("| {RESIDENT} | 7.00 × |")),
            "{table}"
        );
    }
}
