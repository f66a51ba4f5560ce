//! The report of a run: its figures as tables, as JSON, as plots, and against the marks.

mod front_end_marks;
mod front_end_tables;
mod index;
mod mark;
mod marks;
mod peers;
mod plot;
mod resident_marks;
mod soak;
mod table;

use std::fs;
use std::io::Write;

use crate::arguments::RunFlags;
use crate::figures::Figures;

/// Prints the tables, and writes the files that the flags ask for.
pub(crate) fn write(flags: &RunFlags, figures: &Figures) -> anyhow::Result<()> {
    let marks = marks::of(figures);
    let text = [
        mark::table(&marks, flags.only.is_empty()),
        peers::table(figures),
        table::all(figures),
        front_end_tables::all(figures),
        index::table(figures),
    ]
    .concat();
    std::io::stdout().write_all(text.as_bytes())?;
    if let Some(path) = &flags.markdown {
        fs::write(path, &text)?;
    }
    if let Some(path) = &flags.json {
        let all = serde_json::json!({"report": figures, "marks": marks});
        fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    if let Some(folder) = &flags.plots {
        fs::create_dir_all(folder)?;
        for (name, svg) in plot::all(figures) {
            fs::write(folder.join(name), svg)?;
        }
    }
    Ok(())
}
