//! The message that is a body with the fields of path and query in it.
//!
//! Encodings of a message behind each other are to be merged (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>),
//! but protobuf in PHP without its extension keeps the last one only. So each singular message is encoded once.

use std::borrow::Cow;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, skip_field};

use super::fields::{Entry, Fields};
use crate::json::{begin_content, end_content};
use crate::schema::{MessageId, MessageType, Schema, ValueType};

impl Fields {
    /// Whether a message in these fields can have another part in a body that has some of the top-level fields.
    pub(super) fn overlap(&self, body_has: impl Fn(usize) -> bool) -> bool {
        let mut entries = self.0.iter();
        entries.any(|(index, entry)| matches!(entry, Entry::Message(_)) && body_has(*index))
    }

    /// Appends all of them.
    pub(super) fn encode(&self, schema: &Schema, message: MessageId, out: &mut Vec<u8>) {
        self.merge(schema, message, &[], out);
    }

    /// Appends the message of a body, with these fields in the place of those that it has.
    pub(super) fn merge(
        &self,
        schema: &Schema,
        message: MessageId,
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        let message = schema.message_type(message);
        let parts = self.keep(message, body, out);
        for ((index, entry), part) in self.0.iter().zip(parts) {
            let field = &message.fields[*index];
            match (entry, field.value) {
                (Entry::Message(fields), ValueType::Message(id)) => {
                    encode_key(field.number, WireType::LengthDelimited, out);
                    let start = begin_content(out);
                    fields.merge(schema, id, &part, out);
                    end_content(out, start);
                }
                (Entry::Value(values), _) => out.extend_from_slice(values),
                (Entry::Message(_), _) => {}
            }
        }
    }

    /// Appends what these fields leave of a body. The result is the content of the messages that they have a part of, in
    /// their order.
    fn keep<'a>(
        &self,
        message: &MessageType,
        mut body: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Vec<Cow<'a, [u8]>> {
        let mut parts = vec![Cow::Borrowed(&[][..]); self.0.len()];
        while !body.is_empty() {
            let before = body;
            let Ok(record) = Record::decode(&mut body) else {
                // The body is an encoding of our own. If it were malformed, its reader should say so.
                out.extend_from_slice(before);
                break;
            };
            match self.fate(message, &record) {
                Fate::Kept => out.extend_from_slice(&before[..before.len() - body.len()]),
                Fate::Replaced => {}
                Fate::Cleared { by } => parts[by] = Cow::default(),
                Fate::Merged { into, content } if parts[into].is_empty() => {
                    parts[into] = content.into();
                }
                Fate::Merged { into, content } => parts[into].to_mut().extend_from_slice(content),
            }
        }
        parts
    }

    fn fate<'a>(&self, message: &MessageType, record: &Record<'a>) -> Fate<'a> {
        let Some(index) = message.field(record.number) else {
            return Fate::Kept;
        };
        let field = &message.fields[index];
        let Ok(into) = self.0.binary_search_by_key(&index, |(index, _)| *index) else {
            let same = |(other, _): &(usize, _)| message.fields[*other].oneof == field.oneof;
            let by = field.oneof.and_then(|_| self.0.iter().position(same));
            return by.map_or(Fate::Kept, |by| Fate::Cleared { by });
        };
        match (&self.0[into].1, record.content) {
            (Entry::Message(_), Some(content)) => Fate::Merged { into, content },
            (Entry::Value(_), _) if !field.is_repeated() => Fate::Replaced,
            _ => Fate::Kept,
        }
    }
}

/// What becomes of a record of a body.
enum Fate<'a> {
    Kept,
    /// There is another value for its field.
    Replaced,
    /// There is another field of its oneof; what precedes the record in that one is void as well.
    Cleared {
        by: usize,
    },
    Merged {
        into: usize,
        content: &'a [u8],
    },
}

struct Record<'a> {
    number: u32,
    /// Of a string, bytes, a message or a packed list.
    content: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    fn decode(bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let (number, wire_type) = decode_key(bytes)?;
        let mut value = *bytes;
        skip_field(wire_type, number, bytes, DecodeContext::default())?;
        let mut content = None;
        if wire_type == WireType::LengthDelimited {
            value = &value[..value.len() - bytes.len()];
            decode_varint(&mut value)?;
            content = Some(value);
        }
        Ok(Self { number, content })
    }
}
