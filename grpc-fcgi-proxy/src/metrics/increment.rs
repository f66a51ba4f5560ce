//! A gauge that counts values while they live.

use prometheus::IntGauge;

/// Counts one until it is dropped.
#[derive(Debug)]
pub(crate) struct Increment(IntGauge);

impl Increment {
    pub(crate) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }

    /// The gauge's value, this one included.
    pub(crate) fn value(&self) -> i64 {
        self.0.get()
    }
}

impl Drop for Increment {
    fn drop(&mut self) {
        self.0.dec();
    }
}
