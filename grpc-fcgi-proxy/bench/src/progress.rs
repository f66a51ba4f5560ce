//! Progress, on stderr: stdout is for the tables.

use std::io::Write;

pub(crate) fn progress(line: &str) {
    // A closed stderr must not end the run.
    writeln!(std::io::stderr(), "{line}").ok();
}
