//! The meta-variables of a client's TLS connection: the same for all of its calls. They have the names that Apache's
//! mod_ssl gives them.

use super::sink::Sink;

/// The variables of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsVariables(Vec<(String, String)>);

impl TlsVariables {
    /// No value contains a line feed.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.0
            .iter()
            .try_for_each(|(name, value)| sink.push(name.as_bytes(), value.as_bytes()))
    }

    /// Appends a line feed and `NAME=value` for each.
    pub(super) fn write_lines(&self, text: &mut String) {
        for (name, value) in &self.0 {
            text.push('\n');
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
    }
}
