//! The destination of meta-variables.

use crate::fastcgi::pair::{PairTooLong, ParamsEncoder};

/// Collects variables in a form that carries them to PHP.
pub(crate) trait Sink {
    /// Why this form cannot carry a variable.
    type Error;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), Self::Error>;
}

impl Sink for ParamsEncoder {
    type Error = PairTooLong;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), PairTooLong> {
        Self::push(self, name, value)
    }
}
