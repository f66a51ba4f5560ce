//! A long load of resident workers that are killed, reloaded, replaced and recycled.

use serde::Serialize;

/// What became of the calls, of which streaming ones have an id for each message.
#[derive(Debug, Serialize)]
pub(crate) struct Soak {
    pub(crate) seconds: u64,
    /// Ids with the right answer.
    pub(crate) answered: usize,
    /// Ids whose call was cancelled, or whose deadline has expired.
    pub(crate) given_up: usize,
    pub(crate) failed: usize,
    pub(crate) kills: usize,
    /// Of php-fpm.
    pub(crate) reloads: usize,
    /// Of all workers, by the proxy.
    pub(crate) replacements: usize,
    /// Workers replaced after their number of calls.
    pub(crate) recycled: f64,
    /// Answered ids that the database lacks.
    pub(crate) lost: usize,
    /// Ids that the database has more than once.
    pub(crate) doubled: usize,
    /// Failures that no killed worker explains.
    pub(crate) unexplained: Vec<String>,
    /// Gauges that are not zero behind the load.
    pub(crate) gauges: Vec<String>,
    /// Files and sockets that the proxy has open behind the load, and had not before.
    pub(crate) files: usize,
    pub(crate) proxy_memory: Option<Growth>,
    /// Of the largest worker.
    pub(crate) worker_memory: Option<Growth>,
}

impl Soak {
    /// All that must not be. Memory is only a goal.
    pub(crate) fn failures(&self) -> usize {
        self.lost + self.doubled + self.unexplained.len() + self.gauges.len() + self.files
    }
}

/// Resident MiB at the end of the first third, and at the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Growth {
    pub(crate) early: f64,
    pub(crate) late: f64,
}
