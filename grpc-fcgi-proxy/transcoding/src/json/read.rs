//! JSON as an encoded message, which is written as the text is read.

use std::fmt;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use prost_reflect::{DeserializeOptions, DynamicMessage};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::built::build;
use super::dynamic::Dynamic;
use super::map::EntriesVisitor;
use super::scalar::{
    BoolVisitor, BytesVisitor, EnumVisitor, FloatVisitor, IntegerVisitor, StringVisitor,
};
use super::seen::Seen;
use super::{MAX_DEPTH, Unknown};
use crate::schema::{Field, MessageId, MessageType, Schema, Shape, ValueType};

pub(super) fn read(
    schema: &Schema,
    message: MessageId,
    json: &[u8],
    unknown: Unknown,
    bytes: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let mut text = serde_json::Deserializer::from_slice(json);
    let reader = Reader { schema, unknown };
    let seed = ValueSeed {
        reader,
        value: ValueType::Message(message),
        depth: MAX_DEPTH,
        bytes,
    };
    seed.deserialize(&mut text)?;
    text.end()
}

#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) schema: &'a Schema,
    pub(super) unknown: Unknown,
}

/// Reads a value, and appends it without its key. The result is false if there is no value: the name of an enum value that
/// is dropped.
struct ValueSeed<'a> {
    reader: Reader<'a>,
    value: ValueType,
    depth: u32,
    bytes: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        let Self { reader, bytes, .. } = self;
        match self.value {
            ValueType::Message(id) => {
                let message = reader.schema.message_type(id);
                let depth = self.depth.checked_sub(1);
                let depth = depth
                    .ok_or_else(|| D::Error::custom("messages contain each other too often"))?;
                if let Some(dynamic) = Dynamic::of(message) {
                    return dynamic.read(text, depth, bytes);
                }
                if message.delegated {
                    return reader.delegate(message, text, bytes);
                }
                text.deserialize_map(MessageVisitor {
                    reader,
                    message,
                    depth,
                    bytes,
                })?;
                Ok(true)
            }
            ValueType::String => text.deserialize_str(StringVisitor(bytes)),
            ValueType::Bytes => text.deserialize_str(BytesVisitor(bytes)),
            ValueType::Bool => text.deserialize_bool(BoolVisitor(bytes)),
            ValueType::Double | ValueType::Float => text.deserialize_any(FloatVisitor {
                is_double: self.value == ValueType::Double,
                bytes,
            }),
            ValueType::Enum(id) => text.deserialize_any(EnumVisitor {
                names: reader.schema.enum_type(id),
                unknown: reader.unknown,
                bytes,
            }),
            value => text.deserialize_any(IntegerVisitor { value, bytes }),
        }
    }
}

impl Reader<'_> {
    pub(super) fn delegate<'de, D: Deserializer<'de>>(
        self,
        message: &MessageType,
        text: D,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, D::Error> {
        let options =
            DeserializeOptions::new().deny_unknown_fields(self.unknown == Unknown::Refuse);
        let descriptor = message.descriptor.clone();
        let message = DynamicMessage::deserialize_with_options(descriptor, build(text)?, &options);
        let message = message.map_err(D::Error::custom)?;
        message.encode(bytes).map_err(D::Error::custom)?;
        Ok(true)
    }

    /// Whether null is a value, and not the absence of one.
    fn takes_null(self, value: ValueType) -> bool {
        match value {
            ValueType::Enum(id) => self.schema.enum_type(id).is_null,
            ValueType::Message(id) => {
                let message = self.schema.message_type(id);
                message.descriptor.full_name() == "google.protobuf.Value"
            }
            _ => false,
        }
    }
}

/// Leaves a byte for the length of content. Returns where the content begins.
pub(crate) fn begin_content(bytes: &mut Vec<u8>) -> usize {
    bytes.push(0);
    bytes.len()
}

/// Puts the length before the content that begins at `start`; moves the content if the length takes more than a byte.
pub(crate) fn end_content(bytes: &mut Vec<u8>, start: usize) {
    let end = bytes.len();
    let length = (end - start) as u64;
    let more = encoded_len_varint(length) - 1;
    if more > 0 {
        bytes.resize(end + more, 0);
        bytes.copy_within(start..end, start + more);
    }
    encode_varint(length, &mut &mut bytes[start - 1..start + more]);
}

struct MessageVisitor<'a> {
    reader: Reader<'a>,
    message: &'a MessageType,
    depth: u32,
    bytes: &'a mut Vec<u8>,
}

impl<'de> Visitor<'de> for MessageVisitor<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "an object, {}", self.message.descriptor.full_name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        let mut oneofs = Seen::default();
        let (reader, message) = (self.reader, self.message);
        let mut guess = 0;
        while let Some(index) = map.next_key_seed(NameSeed {
            reader,
            message,
            guess,
        })? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            guess = index + 1;
            let field = &message.fields[index];
            let twice = || A::Error::custom(format_args!("the field {} occurs twice", field.name));
            if !seen.insert(index) {
                return Err(twice());
            }
            let seed = FieldSeed {
                reader,
                field,
                depth: self.depth,
                bytes: &mut *self.bytes,
            };
            let has_value = map.next_value_seed(seed)?;
            if let Some(oneof) = field.oneof
                && has_value
                && !oneofs.insert(oneof)
            {
                return Err(A::Error::custom(format_args!(
                    "the field {} and another one exclude each other",
                    field.name
                )));
            }
        }
        Ok(())
    }
}

/// Reads the name of a field: `None` if the schema does not have it and it is to be dropped.
struct NameSeed<'a> {
    reader: Reader<'a>,
    message: &'a MessageType,
    /// The field that follows the last one: most texts have the order of the message.
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Option<usize>, D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        let guessed = self.message.fields.get(self.guess);
        if guessed.is_some_and(|field| *field.name == *name) {
            return Ok(Some(self.guess));
        }
        match self.message.field_of_name(name) {
            None if self.reader.unknown == Unknown::Refuse => Err(E::custom(format_args!(
                "{} has no field {name:?}",
                self.message.descriptor.full_name()
            ))),
            index => Ok(index),
        }
    }
}

/// Reads a field, and appends it with its key. The result is false if it has no value.
pub(super) struct FieldSeed<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) field: &'a Field,
    pub(super) depth: u32,
    pub(super) bytes: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        let singular = matches!(self.field.shape, Shape::Implicit | Shape::Explicit);
        if singular && self.reader.takes_null(self.field.value) {
            return self.singular(text);
        }
        text.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "a value for {}", self.field.name)
    }

    fn visit_none<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        match self.field.shape {
            Shape::Implicit | Shape::Explicit => self.singular(text),
            Shape::Repeated { .. } => text.deserialize_seq(ListVisitor(self)),
            Shape::Map => text.deserialize_map(EntriesVisitor(self)),
        }
    }
}

impl FieldSeed<'_> {
    fn singular<'de, D: Deserializer<'de>>(mut self, text: D) -> Result<bool, D::Error> {
        self.keyed().deserialize(text)
    }

    /// Reads one value, and appends it with the key.
    fn keyed(&mut self) -> KeyedSeed<'_> {
        KeyedSeed {
            reader: self.reader,
            number: self.field.number,
            value: self.field.value,
            depth: self.depth,
            bytes: self.bytes,
        }
    }
}

/// Reads a value, and appends it with its key.
pub(super) struct KeyedSeed<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) number: u32,
    pub(super) value: ValueType,
    pub(super) depth: u32,
    pub(super) bytes: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for KeyedSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<bool, D::Error> {
        let Self {
            reader,
            value,
            depth,
            bytes,
            ..
        } = self;
        let before = bytes.len();
        encode_key(self.number, value.wire_type(), bytes);
        let is_delimited = value.wire_type() == WireType::LengthDelimited;
        let start = if is_delimited {
            begin_content(bytes)
        } else {
            bytes.len()
        };
        let seed = ValueSeed {
            reader,
            value,
            depth,
            bytes: &mut *bytes,
        };
        let has_value = seed.deserialize(text)?;
        if !has_value {
            bytes.truncate(before);
        } else if is_delimited {
            end_content(bytes, start);
        }
        Ok(has_value)
    }
}

struct ListVisitor<'a>(FieldSeed<'a>);

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "a list for {}", self.0.field.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let mut seed = self.0;
        if seed.field.shape != (Shape::Repeated { packed: true }) {
            while list.next_element_seed(seed.keyed())?.is_some() {}
            return Ok(true);
        }
        let before = seed.bytes.len();
        encode_key(seed.field.number, WireType::LengthDelimited, seed.bytes);
        let start = begin_content(seed.bytes);
        loop {
            let element = ValueSeed {
                reader: seed.reader,
                value: seed.field.value,
                depth: seed.depth,
                bytes: &mut *seed.bytes,
            };
            if list.next_element_seed(element)?.is_none() {
                break;
            }
        }
        if seed.bytes.len() == start {
            seed.bytes.truncate(before);
        } else {
            end_content(seed.bytes, start);
        }
        Ok(true)
    }
}
