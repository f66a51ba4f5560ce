//! The soak: its marks, and what was done in it.

use super::mark::{Bound, Mark, mark};
use crate::figures::{Figures, Growth, Soak, Spread};

/// MiB that the resident memory of a process may grow from the end of the first third to the end.
const FLAT: f64 = 2.0;

pub(super) fn marks(figures: &Figures) -> [Mark; 5] {
    let soak = figures.soak.as_ref();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let none = |what: &str, count: fn(&Soak) -> usize| {
        let count = soak.and_then(|soak| Spread::of([count(soak) as f64]));
        mark(&format!("soak: {what}"), "", count, Bound::AtMost(0.0), "")
    };
    let growth = |what: &str, of: fn(&Soak) -> Option<Growth>| {
        let growth = soak.and_then(of);
        let growth = growth.and_then(|growth| Spread::of([growth.late - growth.early]));
        let what = format!("soak: memory of {what} at the end");
        mark(
            &what,
            "more than after a third",
            growth,
            Bound::AtMost(FLAT),
            "MiB",
        )
    };
    [
        none(
            "answers that the database lacks, or ids that it has twice",
            |soak| soak.lost + soak.doubled,
        ),
        none("failures outside of killed workers", |soak| {
            soak.unexplained.len()
        }),
        none("gauges above zero, and open files, at the end", |soak| {
            soak.gauges.len() + soak.files
        }),
        growth("the proxy", |soak| soak.proxy_memory),
        growth("the largest worker", |soak| soak.worker_memory),
    ]
}

/// What was done, and what went wrong.
pub(super) fn text(soak: &Soak) -> String {
    let mut text = format!(
        "\n### soak: {} s\n\nids answered: {}; cancelled or expired: {}; failed: {}; workers killed: {}; \
         php-fpm reloaded: {}; all workers replaced: {}; recycled: {:.0}\n",
        soak.seconds,
        soak.answered,
        soak.given_up,
        soak.failed,
        soak.kills,
        soak.reloads,
        soak.replacements,
        soak.recycled,
    );
    for (what, growth) in [
        ("the proxy", soak.proxy_memory),
        ("the largest worker", soak.worker_memory),
    ] {
        if let Some(Growth { early, late }) = growth {
            text += &format!(
                "\nmemory of {what}: {early:.1} MiB after a third, {late:.1} MiB at the end\n"
            );
        }
    }
    for wrong in soak.unexplained.iter().take(20).chain(&soak.gauges) {
        text += &format!("\n{wrong}\n");
    }
    text
}
