//! A mark: a figure, and the bound that it must keep.

use serde::Serialize;

use crate::figures::Spread;

/// A goal, and whether it is reached.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    what: String,
    wanted: String,
    /// `None` if not measured.
    got: Option<Spread>,
    unit: &'static str,
    reached: Option<bool>,
}

/// The bound of a value.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

pub(super) fn mark(
    what: &str,
    compared: &str,
    got: Option<Spread>,
    bound: Bound,
    unit: &'static str,
) -> Mark {
    let (word, limit) = match bound {
        Bound::AtLeast(limit) => ("at least", limit),
        Bound::AtMost(limit) => ("at most", limit),
    };
    Mark {
        what: what.to_owned(),
        wanted: [&format!("{word} {limit}"), unit, compared]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        reached: got.as_ref().map(|got| match bound {
            Bound::AtLeast(limit) => got.median >= limit,
            Bound::AtMost(limit) => got.median <= limit,
        }),
        got,
        unit,
    }
}

/// The marks as Markdown: all, or only those that were measured.
pub(super) fn table(marks: &[Mark], all: bool) -> String {
    let mut out =
        "### Goals\n\n| goal | required | measured | result |\n|---|---|---|---|\n".to_owned();
    for mark in marks.iter().filter(|mark| all || mark.got.is_some()) {
        let got = mark.got.as_ref().map_or_else(
            || "–".to_owned(),
            |got| {
                format!("{} {}", got.text(2), mark.unit)
                    .trim_end()
                    .to_owned()
            },
        );
        let reached = match mark.reached {
            Some(true) => "met",
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
    fn a_mark_is_reached_within_its_bound() {
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
