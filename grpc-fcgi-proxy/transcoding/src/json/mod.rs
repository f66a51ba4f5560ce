//! Protobuf's JSON mapping: <https://protobuf.dev/programming-guides/json/>.
//!
//! Messages are translated without being built in memory, whatever their size. What is rare is left to prost-reflect, which
//! builds them: most well-known types, groups, extensions, and fields in an order that no serializer writes.

mod any;
mod built;
mod dynamic;
mod field;
mod map;
mod read;
mod scalar;
mod seen;
#[cfg(test)]
mod tests;
mod text;
mod write;

use prost::DecodeError;

pub(crate) use self::read::{begin_content, end_content};
pub(crate) use self::text::read as read_text;
use crate::schema::{MessageId, Schema};

/// How deep messages may contain each other, as in the protobuf runtimes.
pub(crate) const MAX_DEPTH: u32 = 100;

/// A message cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A field is malformed.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The message is cut off.
    #[error("the message ends within a field")]
    Truncated,
    /// The schema has another type for a field.
    #[error("a field is encoded as another type")]
    WireType,
    /// A string is malformed.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// More depth than readers of messages accept.
    #[error("messages contain each other more than {MAX_DEPTH} times")]
    TooDeep,
    /// Such as an Any whose type is in no descriptor set.
    #[error(transparent)]
    NoJson(#[from] serde_json::Error),
}

/// JSON is not that of the message; the text says where and why.
#[derive(Debug, thiserror::Error)]
#[error("{reason} at line {line} column {column}")]
pub struct ReadError {
    reason: String,
    line: usize,
    column: usize,
}

/// In characters: serde's errors repeat the names and strings of the text, whatever their length.
const MAX_REASON: usize = 200;

/// A text of a client, as much of it as an error may repeat.
pub(crate) fn shorten(text: &str) -> String {
    let mut cut: String = text.chars().take(MAX_REASON).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        Self {
            reason: shorten(reason),
            line,
            column,
        }
    }
}

/// What to do with fields, and names of enum values, that the schema does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is an error.
    Refuse,
    /// It is as if it were not there.
    Drop,
}

impl Schema {
    /// Appends the JSON of an encoded message.
    ///
    /// # Errors
    ///
    /// The message is malformed, or has no JSON.
    pub fn write_json(
        &self,
        message: MessageId,
        bytes: &[u8],
        json: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        write::Writer { schema: self, json }.message(message, bytes, MAX_DEPTH)
    }

    /// Appends the encoded message of a JSON text.
    ///
    /// # Errors
    ///
    /// The text is not JSON, or not of this message.
    pub fn read_json(
        &self,
        message: MessageId,
        json: &[u8],
        unknown: Unknown,
        bytes: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        Ok(read::read(self, message, json, unknown, bytes)?)
    }
}
