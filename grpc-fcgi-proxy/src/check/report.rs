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

/// The failures of targets that one name has.
#[derive(Debug)]
pub(super) struct Failures {
    targets: usize,
    failures: Vec<(String, String)>,
}

impl Failures {
    pub(super) fn new(targets: usize) -> Self {
        Self {
            targets,
            failures: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, subject: String, text: String) {
        self.failures.push((subject, text));
    }

    /// Calls work as long as one target does.
    pub(super) fn report(self, report: &mut Report) {
        let level = match self.failures.len() == self.targets {
            true => Level::Error,
            false => Level::Warning,
        };
        for (subject, text) in self.failures {
            report.add(level, subject, text);
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
