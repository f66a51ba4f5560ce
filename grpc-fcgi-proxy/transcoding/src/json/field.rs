//! One field of a message alone.

use std::borrow::Cow;

use serde::de::DeserializeSeed;

use super::read::{FieldSeed, Reader};
use super::write::{Encoded, Writer, default, is_absent, next};
use super::{MAX_DEPTH, ReadError, Unknown, WriteError};
use crate::schema::{Form, MessageId, MessageType, Schema, Shape, ValueType};

impl Schema {
    /// Appends the field whose JSON this is, with its key. The field is its position in the message's.
    pub(crate) fn read_json_field(
        &self,
        message: MessageId,
        field: usize,
        json: &[u8],
        unknown: Unknown,
        bytes: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        let mut text = serde_json::Deserializer::from_slice(json);
        let seed = FieldSeed {
            reader: Reader {
                schema: self,
                unknown,
            },
            field: &self.message_type(message).fields[field],
            depth: MAX_DEPTH - 1,
            bytes,
        };
        seed.deserialize(&mut text)?;
        Ok(text.end()?)
    }

    /// Appends the JSON of a field of an encoded message. A field that the message lacks is its default.
    pub(crate) fn write_json_field(
        &self,
        message: MessageId,
        field: usize,
        bytes: &[u8],
        json: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let message = self.message_type(message);
        let value = message.fields[field].value;
        let mut writer = Writer { schema: self, json };
        match (message.fields[field].shape, value) {
            (Shape::Repeated { .. } | Shape::Map, _) => writer.all(message, field, bytes),
            (_, ValueType::Message(id)) => match merged(message, field, bytes)? {
                Some(bytes) => writer.message(id, &bytes, MAX_DEPTH - 1),
                None => {
                    let is_object = self.message_type(id).form == Form::Object;
                    let none: &[u8] = if is_object { b"{}" } else { b"null" };
                    json.extend_from_slice(none);
                    Ok(())
                }
            },
            (shape, _) => match last(message, field, bytes)? {
                Some(encoded) => writer.value(value, encoded, MAX_DEPTH - 1),
                None if shape == Shape::Implicit => {
                    writer.value(value, default(value), MAX_DEPTH - 1)
                }
                None => {
                    json.extend_from_slice(b"null");
                    Ok(())
                }
            },
        }
    }

    /// The content of a field that is a string, bytes or a message.
    pub(crate) fn content<'a>(
        &self,
        message: MessageId,
        field: usize,
        bytes: &'a [u8],
    ) -> Result<Option<Cow<'a, [u8]>>, WriteError> {
        let message = self.message_type(message);
        match message.fields[field].value {
            ValueType::Message(_) => merged(message, field, bytes),
            _ => match last(message, field, bytes)? {
                Some(Encoded::Bytes(content)) => Ok(Some(content.into())),
                Some(Encoded::Number(_)) => Err(WriteError::WireType),
                None => Ok(None),
            },
        }
    }
}

impl Writer<'_> {
    /// All elements of a list, or entries of a map.
    fn all(
        &mut self,
        message: &MessageType,
        index: usize,
        mut bytes: &[u8],
    ) -> Result<(), WriteError> {
        let field = &message.fields[index];
        let is_map = field.shape == Shape::Map;
        self.json.push(if is_map { b'{' } else { b'[' });
        let mut first = true;
        while let Some((found, encoded)) = next(message, &mut bytes)? {
            if found != index || is_absent(field, &encoded) {
                continue;
            }
            self.comma(&mut first);
            if is_map {
                self.entry(field.value, encoded, MAX_DEPTH - 1)?;
            } else {
                self.elements(field.value, encoded, MAX_DEPTH - 1)?;
            }
        }
        self.json.push(if is_map { b'}' } else { b']' });
        Ok(())
    }
}

/// The last value of a field, unless another of its oneof follows.
fn last<'a>(
    message: &MessageType,
    index: usize,
    mut bytes: &'a [u8],
) -> Result<Option<Encoded<'a>>, WriteError> {
    let mut last = None;
    while let Some((found, encoded)) = next(message, &mut bytes)? {
        if found == index {
            last = Some(encoded);
        } else if excludes(message, found, index) {
            last = None;
        }
    }
    Ok(last)
}

/// The encodings of a message behind each other, which is how they are merged.
fn merged<'a>(
    message: &MessageType,
    index: usize,
    mut bytes: &'a [u8],
) -> Result<Option<Cow<'a, [u8]>>, WriteError> {
    let mut merged: Option<Cow<'a, [u8]>> = None;
    while let Some((found, encoded)) = next(message, &mut bytes)? {
        if excludes(message, found, index) {
            merged = None;
        }
        if found != index {
            continue;
        }
        let Encoded::Bytes(content) = encoded else {
            return Err(WriteError::WireType);
        };
        match &mut merged {
            Some(first) => first.to_mut().extend_from_slice(content),
            None => merged = Some(content.into()),
        }
    }
    Ok(merged)
}

fn excludes(message: &MessageType, one: usize, other: usize) -> bool {
    let oneof = message.fields[one].oneof;
    one != other && oneof.is_some() && oneof == message.fields[other].oneof
}
