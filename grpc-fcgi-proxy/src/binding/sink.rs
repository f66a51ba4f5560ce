//! The destination of meta-variables.

/// Collects variables in a form that carries them to PHP.
pub(crate) trait Sink {
    /// Why this form cannot carry a variable.
    type Error;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), Self::Error>;
}
