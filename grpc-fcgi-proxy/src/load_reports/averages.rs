//! Averages of the last seconds, of samples at irregular times.

use std::time::Duration;

/// The weight of a sample falls to a third in this time.
const SPAN: Duration = Duration::from_secs(3);
/// Less is nothing: an average only approaches 0.
const LEAST: f64 = 0.001;

/// The proxy's own figures.
#[derive(Debug, Default)]
pub(super) struct Averages {
    utilization: f64,
    calls: f64,
    errors: f64,
}

impl Averages {
    /// Adds a sample: how much of the pool is taken, and how many calls and errors there were since the last sample.
    pub(super) fn add(&mut self, utilization: f64, calls: u32, errors: u32, since: Duration) {
        let seconds = since.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let old = (-seconds / SPAN.as_secs_f64()).exp();
        for (average, sample) in [
            (&mut self.utilization, utilization),
            (&mut self.calls, f64::from(calls) / seconds),
            (&mut self.errors, f64::from(errors) / seconds),
        ] {
            *average = *average * old + sample * (1.0 - old);
        }
    }

    /// From 0 upwards; above 1, calls wait.
    pub(super) fn utilization(&self) -> f64 {
        shown(self.utilization)
    }

    /// Calls per second.
    pub(super) fn calls(&self) -> f64 {
        shown(self.calls)
    }

    /// Errors per second.
    pub(super) fn errors(&self) -> f64 {
        shown(self.errors)
    }
}

fn shown(average: f64) -> f64 {
    if average < LEAST { 0.0 } else { average }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    #[test]
    fn averages_follow_the_load_of_the_last_seconds() {
        let mut averages = Averages::default();
        for _ in 0..200 {
            averages.add(0.5, 10, 1, TENTH);
        }
        let near = |value: f64, expected: f64| (value - expected).abs() < expected / 100.0;
        assert!(near(averages.utilization(), 0.5));
        assert!(near(averages.calls(), 100.0));
        assert!(near(averages.errors(), 10.0));
        for _ in 0..30 {
            averages.add(0.0, 0, 0, TENTH);
        }
        assert!(near(averages.calls(), 100.0 / std::f64::consts::E));
    }

    #[test]
    fn an_idle_server_has_no_load_in_the_end() {
        let mut averages = Averages::default();
        averages.add(1.0, 1000, 1000, TENTH);
        averages.add(0.0, 0, 0, Duration::from_secs(120));
        let ends = [averages.utilization(), averages.calls(), averages.errors()];
        assert_eq!(ends, [0.0; 3]);
    }

    #[test]
    fn samples_at_the_same_time_change_nothing() {
        let mut averages = Averages::default();
        averages.add(1.0, 1, 1, Duration::ZERO);
        assert_eq!(averages.utilization(), 0.0);
    }
}
