//! Prints the findings, a line for each check.

use std::fmt::{self, Display};
use std::io::Write;
use std::process::ExitCode;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// No problem.
    Ok,
    /// Calls work, but perhaps not as intended.
    Warning,
    /// Calls will fail.
    Error,
}

/// Prints each finding at once, since the next check may take seconds.
#[derive(Debug, Default)]
pub(super) struct Report {
    has_errors: bool,
}

impl Report {
    pub(super) fn ok(&mut self, subject: impl Display, text: impl Display) {
        self.add(Level::Ok, subject, text);
    }

    pub(super) fn warning(&mut self, subject: impl Display, text: impl Display) {
        self.add(Level::Warning, subject, text);
    }

    pub(super) fn error(&mut self, subject: impl Display, text: impl Display) {
        self.add(Level::Error, subject, text);
    }

    pub(super) fn add(&mut self, level: Level, subject: impl Display, text: impl Display) {
        self.has_errors |= level == Level::Error;
        // A reader that closes standard output still gets the exit code.
        let _ = writeln!(std::io::stdout(), "{level:<8} {subject}: {text}");
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if self.has_errors {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
