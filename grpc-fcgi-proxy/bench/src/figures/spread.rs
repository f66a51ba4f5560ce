//! The median of several runs, with their minimum and maximum.

use std::ops::{Add, Div, Sub};

use serde::Serialize;

/// The values of one figure in all runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// In the order of the turns.
    runs: Vec<f64>,
}

impl Spread {
    /// `None` without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let runs: Vec<f64> = values.into_iter().collect();
        let mut values = runs.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => return None,
            even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self {
            median,
            min: values[0],
            max: values[values.len() - 1],
            runs,
        })
    }

    /// The ratios by turn: a disturbance of the machine affects both values of a turn.
    pub(crate) fn ratio(&self, of: &Self) -> Option<Self> {
        self.by_turns(of, Div::div)
    }

    /// The differences by turn.
    pub(crate) fn minus(&self, other: &Self) -> Option<Self> {
        self.by_turns(other, Sub::sub)
    }

    /// The sums by turn.
    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        self.by_turns(other, Add::add)
    }

    /// Each value, multiplied.
    pub(crate) fn times(&self, factor: f64) -> Self {
        let scaled = self.runs.iter().map(|run| run * factor);
        Self::of(scaled).unwrap_or_default()
    }

    fn by_turns(&self, other: &Self, compare: fn(f64, f64) -> f64) -> Option<Self> {
        let turns = self.runs.iter().zip(&other.runs);
        Self::of(turns.map(|(own, other)| compare(*own, *other)))
    }

    /// The median, with the minimum and the maximum of several runs in parentheses.
    pub(crate) fn text(&self, digits: usize) -> String {
        let Self {
            median, min, max, ..
        } = self;
        if self.runs.len() == 1 {
            return format!("{median:.digits$}");
        }
        format!("{median:.digits$} ({min:.digits$} – {max:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(Spread::of([]), None);
        let odd = spread(&[3.0, 1.0, 9.0]);
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 3.0, 9.0));
        assert_eq!(spread(&[4.0, 1.0]).median, 2.5);
    }

    #[test]
    fn values_of_the_same_turn_are_compared() {
        // The machine was twice as fast in the second turn.
        let (ours, theirs) = (spread(&[2.0, 4.0, 3.0]), spread(&[1.0, 2.0, 2.0]));
        assert_eq!(ours.ratio(&theirs).unwrap().runs, [2.0, 2.0, 1.5]);
        assert_eq!(ours.minus(&theirs).unwrap().runs, [1.0, 2.0, 1.0]);
        assert_eq!(ours.plus(&theirs).unwrap().runs, [3.0, 6.0, 5.0]);
        assert_eq!(ours.times(10.0).runs, [20.0, 40.0, 30.0]);
    }

    #[test]
    fn several_runs_show_their_range() {
        assert_eq!(spread(&[1.0, 2.0, 4.0]).text(1), "2.0 (1.0 – 4.0)");
        assert_eq!(spread(&[2.0]).text(2), "2.00");
    }
}
