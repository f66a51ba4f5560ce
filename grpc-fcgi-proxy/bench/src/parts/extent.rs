//! How long, how often and how much a run measures.

use std::time::Duration;

use crate::arguments::{Effort, Part, RunFlags};

pub(super) const GIB: u64 = 1 << 30;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The runs of each measurement, of which the median counts.
    pub(super) runs: usize,
    /// The time of each run.
    pub(super) time: Duration,
    /// Whether all shapes, sizes and setups are measured.
    pub(super) full: bool,
    /// The streams that stay idle.
    pub(super) idle_streams: usize,
    /// The streams that each send a message a second, and for how long; none, if absent.
    pub(super) slow_streams: Option<(usize, Duration)>,
    /// The calls whose instructions are counted.
    pub(super) counted_calls: usize,
    /// The bytes of the long stream.
    pub(super) stream: u64,
    /// The orders of the sample application's report.
    pub(super) orders: &'static [usize],
    /// The duration of the soak; none, if absent.
    pub(super) soak: Option<Duration>,
}

impl Extent {
    pub(super) fn of(flags: &RunFlags) -> Self {
        let mut extent = Self::usual(flags.effort);
        if let Some(minutes) = flags.minutes {
            extent.soak = Some(Duration::from_secs(60 * minutes));
        } else if flags.only.contains(&Part::Soak) {
            extent.soak.get_or_insert(MINUTE);
        }
        extent
    }

    fn usual(effort: Effort) -> Self {
        // Many short runs: a disturbance of the machine lasts for seconds.
        let (runs, milliseconds, stream) = match effort {
            Effort::Check => (1, 100, GIB / 64),
            Effort::Quick => (3, 650, GIB / 4),
            Effort::Full => (9, 650, GIB),
        };
        Self {
            runs,
            time: Duration::from_millis(milliseconds),
            idle_streams: if effort == Effort::Check { 100 } else { 2000 },
            slow_streams: match effort {
                Effort::Check => Some((100, Duration::from_secs(2))),
                Effort::Quick => None,
                Effort::Full => Some((5000, Duration::from_secs(60))),
            },
            counted_calls: if effort == Effort::Check { 50 } else { 1000 },
            full: effort != Effort::Quick,
            stream,
            orders: match effort {
                Effort::Check => &[10, 1000, 10_000],
                Effort::Quick => &[10, 1000, 100_000],
                Effort::Full => &[10, 100, 1000, 10_000, 100_000],
            },
            soak: match effort {
                Effort::Check => Some(Duration::from_secs(10)),
                Effort::Quick => None,
                Effort::Full => Some(MINUTE),
            },
        }
    }

    /// With less time for each run.
    pub(super) fn shorter(self) -> Self {
        Self {
            time: self.time * 2 / 3,
            ..self
        }
    }
}
