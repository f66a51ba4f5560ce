//! The applications of a setup.

use serde::Serialize;

/// The php-fpm workers of a setup.
pub(crate) const WORKERS: usize = 4;

/// The application that runs the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backend {
    /// The trivial application.
    Trivial,
    /// php-fpm with the item application.
    PhpFpm,
    /// The same, with the PHP files of an earlier revision.
    PhpFpmBefore,
    /// php-fpm with handlers that do nothing.
    Nothing,
    /// The same, behind a boot that takes 5 ms.
    SlowBoot,
    /// php-fpm with handlers that count their calls in a database.
    Counted,
}

impl Backend {
    /// Its name in the tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trivial => "the trivial application",
            Self::PhpFpm | Self::PhpFpmBefore => "php-fpm",
            Self::Nothing => "php-fpm, a handler that does nothing",
            Self::SlowBoot => "php-fpm, a boot of 5 ms",
            Self::Counted => "php-fpm, handlers that count their calls",
        }
    }
}
