//! The tables of the other protocols: instructions, and long lists.

use super::front_end_marks::mib;
use crate::figures::Figures;

/// Empty if they were not measured.
pub(super) fn all(figures: &Figures) -> String {
    let mut out = String::new();
    if !figures.instructions.is_empty() {
        out += "\n### front-ends: the proxy's instructions for a GetItem, one call at a time\n\n\
                | setup | instructions in user space |\n|---|---|\n";
        for each in &figures.instructions {
            out += &format!("| {} | {:.0} |\n", each.setup, each.per_call);
        }
    }
    if !figures.lists.is_empty() {
        out += "\n### lists: translated without a proxy\n\n\
                | elements | direction | message MiB | JSON MiB | message MiB/s | JSON MiB/s | prost-reflect, JSON MiB/s | \
                ratio | memory MiB | prost-reflect |\n|---|---|---|---|---|---|---|---|---|---|\n";
        for list in &figures.lists {
            let (message, json) = (mib(list.message), mib(list.json));
            let ratio = list.per_second.ratio(&list.per_second_reflect);
            out += &format!(
                "| {} | {} | {message:.2} | {json:.2} | {} | {} | {} | {} × | {:.2} | {:.2} |\n",
                list.elements,
                list.way,
                list.per_second.times(message).text(0),
                list.per_second.times(json).text(0),
                list.per_second_reflect.times(json).text(0),
                ratio.unwrap_or_default().text(2),
                mib(list.memory),
                mib(list.memory_reflect),
            );
        }
    }
    out
}
