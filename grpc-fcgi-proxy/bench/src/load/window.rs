//! The time in which calls count.

use std::time::Duration;

use tokio::time::Instant;

use super::shape::Shape;

/// A call counts if it ends between the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

impl Window {
    /// Begins when all callers should be at work.
    pub(super) fn after_warm_up(shape: Shape, time: Duration) -> Self {
        let each = Duration::from_micros(500) * u32::try_from(shape.calls()).unwrap_or(u32::MAX);
        let begin = Instant::now() + (time / 5).max(Duration::from_millis(150)) + each;
        Self {
            begin,
            end: begin + time,
        }
    }
}
