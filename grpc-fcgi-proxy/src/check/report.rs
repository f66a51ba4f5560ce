//! What was found: a line for each thing that was tested.

use std::fmt::{self, Display};
use std::io::Write;
use std::process::ExitCode;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, but perhaps not as it is meant to.
    Warning,
    /// Calls will fail.
    Error,
}

/// Prints findings as they come.
#[derive(Debug, Default)]
pub(super) struct Report {
    wrong: bool,
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
        self.wrong |= level == Level::Error;
        // Who closes standard output still wants the exit code.
        let _ = writeln!(std::io::stdout(), "{level:<8} {subject}: {text}");
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if self.wrong {
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
