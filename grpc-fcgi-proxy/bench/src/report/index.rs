//! The sample application's report as the orders grow: its marks, and its table.

use super::mark::{Bound, Mark, mark};
use crate::figures::{Figures, ReportFigures, Spread};

/// With fewer orders, what a request costs by itself decides.
const MANY: usize = 1000;
/// MiB: three quarters of what frontend's container has on Kubernetes.
const LIMIT: f64 = 96.0;

pub(super) fn marks(figures: &Figures) -> [Mark; 3] {
    let reports = &figures.reports[..];
    let many = reports.iter().find(|each| each.orders == MANY);
    let last = reports.last().filter(|each| each.orders > MANY);
    let (many, last) = match many.zip(last) {
        Some((many, last)) => (Some(many), Some(last)),
        None => (None, None),
    };
    let compare = |figure: fn(&ReportFigures) -> Spread| figure(last?).ratio(&figure(many?));
    [
        mark(
            "report by pages, the most orders: time of an order",
            "1,000 orders",
            compare(time_of_an_order),
            Bound::AtMost(2.0),
            "×",
        ),
        mark(
            "report by pages, the most orders: frontend's memory",
            "1,000 orders",
            compare(|each| each.pages_memory.clone()),
            Bound::AtMost(1.25),
            "×",
        ),
        mark(
            "report, 128 requests at once: frontend's memory",
            "",
            reports
                .iter()
                .map(|each| &each.crowd_memory)
                .max_by(larger)
                .cloned(),
            Bound::AtMost(LIMIT),
            "MiB",
        ),
    ]
}

fn larger(one: &&Spread, other: &&Spread) -> std::cmp::Ordering {
    one.median.total_cmp(&other.median)
}

fn time_of_an_order(report: &ReportFigures) -> Spread {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let orders = report.orders as f64;
    report.all_pages.times(1.0 / orders)
}

/// The table; empty if it was not measured.
pub(super) fn table(figures: &Figures) -> String {
    let Some(first) = figures.reports.first() else {
        return String::new();
    };
    let mut out = format!(
        "\n### index: the report, whole and by pages\n\n\
         | orders | whole, ms | peak MiB | pages | all pages, ms | slowest page, ms | peak MiB | peak MiB, {} at once |\n\
         |---|---|---|---|---|---|---|---|\n",
        2 * first.crowd
    );
    for each in &figures.reports {
        let refused = if each.refused { ", refused" } else { "" };
        out += &format!(
            "| {} | {}{refused} | {} | {} | {} | {} | {} | {} |\n",
            each.orders,
            each.whole.text(1),
            each.whole_memory.text(1),
            each.pages,
            each.all_pages.text(0),
            each.slowest_page.text(1),
            each.pages_memory.text(1),
            each.crowd_memory.text(1),
        );
    }
    out
}
