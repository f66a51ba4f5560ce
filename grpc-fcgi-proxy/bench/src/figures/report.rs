//! The sample application's report, with a number of orders.

use serde::Serialize;

use super::Spread;

/// Times in milliseconds, and frontend's peak of resident memory in MiB.
#[derive(Debug, Serialize)]
pub(crate) struct ReportFigures {
    pub(crate) orders: usize,
    /// The whole report, or its refusal.
    pub(crate) whole: Spread,
    /// Whether it was refused as too long.
    pub(crate) refused: bool,
    pub(crate) whole_memory: Spread,
    pub(crate) pages: usize,
    /// All pages, one after the other.
    pub(crate) all_pages: Spread,
    pub(crate) slowest_page: Spread,
    pub(crate) pages_memory: Spread,
    /// Requests of the whole report at once, and as many of a page.
    pub(crate) crowd: usize,
    pub(crate) crowd_memory: Spread,
}
