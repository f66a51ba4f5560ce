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
}
