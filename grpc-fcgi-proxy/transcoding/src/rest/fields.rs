//! Fields of a message by their names, as a path or a query has them, and their values.

use crate::json::MAX_DEPTH;
use crate::schema::{Field, Form, MessageId, Schema, Shape, ValueType};

/// A field, and those that contain it, by their positions in the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPath(Vec<usize>);

/// Why a name is not that of a field that a text can have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("is unknown: the message has no such field")]
    Unknown,
    #[error("names more than {MAX_DEPTH} fields within each other")]
    TooDeep,
    #[error("names a field within one that is no single message")]
    NotWithin,
    #[error("is a map, which only a body can contain")]
    Map,
    #[error("is a list of messages, which only a body can contain")]
    Messages,
    #[error("is a message: name a field within it, as in a.b")]
    Message,
    #[error("is a message that only a body can contain")]
    Special,
    #[error("is a group, which only a body can contain")]
    Group,
}

impl FieldPath {
    /// The field of a name such as `book.name`, each part of it in JSON or as in the .proto file.
    pub(super) fn resolve(
        schema: &Schema,
        message: MessageId,
        name: &str,
    ) -> Result<Self, Unresolved> {
        let mut path = Vec::new();
        let mut outer = Some(message);
        let mut last = None;
        for name in name.split('.') {
            let message = schema.message_type(outer.ok_or(Unresolved::NotWithin)?);
            let index = message.field_of_name(name).ok_or(Unresolved::Unknown)?;
            let field = &message.fields[index];
            if message.delegated && message.is_group(field) {
                return Err(Unresolved::Group);
            }
            path.push(index);
            if path.len() > MAX_DEPTH as usize {
                return Err(Unresolved::TooDeep);
            }
            outer = within(schema, field);
            last = Some(field);
        }
        last.map_or(Ok(()), |field| check_last(schema, field))?;
        Ok(Self(path))
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.0.first().copied()
    }

    pub(super) fn last<'a>(&self, schema: &'a Schema, message: MessageId) -> Option<&'a Field> {
        let mut outer = Some(message);
        let mut last = None;
        for index in &self.0 {
            let field = &schema.message_type(outer?).fields[*index];
            outer = within(schema, field);
            last = Some(field);
        }
        last
    }
}

/// The message in a field, if its fields can be named.
fn within(schema: &Schema, field: &Field) -> Option<MessageId> {
    match field.value {
        ValueType::Message(id) if !field.is_repeated() => {
            let form = schema.message_type(id).form;
            (form != Form::Special).then_some(id)
        }
        _ => None,
    }
}

fn check_last(schema: &Schema, field: &Field) -> Result<(), Unresolved> {
    let ValueType::Message(id) = field.value else {
        return Ok(());
    };
    if field.shape == Shape::Map {
        return Err(Unresolved::Map);
    }
    match schema.message_type(id).form {
        Form::Wrapper | Form::Time | Form::Mask => Ok(()),
        Form::Object if field.is_repeated() => Err(Unresolved::Messages),
        Form::Object => Err(Unresolved::Message),
        Form::Special => Err(Unresolved::Special),
    }
}

/// The values that a message is to have, each encoded with its key.
#[derive(Debug, Default)]
pub(super) struct Fields(
    /// In the order of their positions. Most messages have few: a map would take more memory.
    pub(super) Vec<(usize, Entry)>,
);

#[derive(Debug)]
pub(super) enum Entry {
    Value(Vec<u8>),
    Message(Fields),
}

/// Why a field cannot have a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Conflict {
    #[error("occurs twice, and takes one value")]
    Twice,
    #[error("and another field exclude each other: send one of them")]
    Oneof,
    #[error("is sent both as one value and field by field: send one of the two")]
    Form,
}

impl Fields {
    /// Adds a value.
    pub(super) fn add(
        &mut self,
        schema: &Schema,
        message: MessageId,
        path: &FieldPath,
        value: &[u8],
    ) -> Result<(), Conflict> {
        self.put(schema, message, &path.0, value, false)
    }

    /// Puts a value in the place of those that are there.
    pub(super) fn replace(
        &mut self,
        schema: &Schema,
        message: MessageId,
        path: &FieldPath,
        value: &[u8],
    ) -> Result<(), Conflict> {
        self.put(schema, message, &path.0, value, true)
    }

    fn put(
        &mut self,
        schema: &Schema,
        message: MessageId,
        path: &[usize],
        value: &[u8],
        replace: bool,
    ) -> Result<(), Conflict> {
        let Some((index, within)) = path.split_first() else {
            return Ok(());
        };
        let fields = &schema.message_type(message).fields;
        let field = &fields[*index];
        if field.oneof.is_some() {
            let excluded = |other: usize| other != *index && fields[other].oneof == field.oneof;
            if replace {
                self.0.retain(|(other, _)| !excluded(*other));
            } else if self.0.iter().any(|(other, _)| excluded(*other)) {
                return Err(Conflict::Oneof);
            }
        }
        let entry = self.entry(*index, within.is_empty());
        match (entry, field.value) {
            (Entry::Message(fields), ValueType::Message(id)) if !within.is_empty() => {
                fields.put(schema, id, within, value, replace)
            }
            (Entry::Value(values), _) if within.is_empty() => {
                if replace {
                    values.clear();
                } else if !(values.is_empty() || field.is_repeated()) {
                    return Err(Conflict::Twice);
                }
                values.extend_from_slice(value);
                Ok(())
            }
            // Of a well-known type.
            _ => Err(Conflict::Form),
        }
    }

    fn entry(&mut self, index: usize, is_value: bool) -> &mut Entry {
        let place = self.0.binary_search_by_key(&index, |(index, _)| *index);
        let place = place.unwrap_or_else(|place| {
            let entry = if is_value {
                Entry::Value(Vec::new())
            } else {
                Entry::Message(Self::default())
            };
            self.0.insert(place, (index, entry));
            place
        });
        &mut self.0[place].1
    }
}
