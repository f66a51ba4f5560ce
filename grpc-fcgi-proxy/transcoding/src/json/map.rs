//! Maps: in JSON an object, in a message a repeated message of a key and a value.

use std::fmt;

use prost::encoding::{WireType, encode_key};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor};

use super::read::{FieldSeed, KeyedSeed, begin_content, end_content};
use super::scalar::IntegerVisitor;
use crate::schema::ValueType;

const KEY: u32 = 1;
const VALUE: u32 = 2;

pub(super) struct EntriesVisitor<'a>(pub(super) FieldSeed<'a>);

impl<'de> Visitor<'de> for EntriesVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "an object for {}", self.0.field.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let FieldSeed {
            reader,
            field,
            depth,
            bytes,
        } = self.0;
        let ValueType::Message(entry) = field.value else {
            return Err(A::Error::custom("not a map"));
        };
        let fields = &reader.schema.message_type(entry).fields;
        let (key, value) = (fields[0].value, fields[1].value);
        loop {
            let before = bytes.len();
            encode_key(field.number, WireType::LengthDelimited, bytes);
            let start = begin_content(bytes);
            if map
                .next_key_seed(MapKeySeed {
                    key,
                    bytes: &mut *bytes,
                })?
                .is_none()
            {
                bytes.truncate(before);
                return Ok(true);
            }
            let seed = KeyedSeed {
                reader,
                number: VALUE,
                value,
                depth,
                bytes: &mut *bytes,
            };
            if map.next_value_seed(seed)? {
                end_content(bytes, start);
            } else {
                bytes.truncate(before);
            }
        }
    }
}

/// Reads the key of a map's entry, which JSON has as a string.
struct MapKeySeed<'a> {
    key: ValueType,
    bytes: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MapKeySeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for MapKeySeed<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("the key of a map")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        encode_key(KEY, self.key.wire_type(), self.bytes);
        match self.key {
            ValueType::String => {
                let start = begin_content(self.bytes);
                self.bytes.extend_from_slice(text.as_bytes());
                end_content(self.bytes, start);
                Ok(())
            }
            ValueType::Bool => match text {
                "true" | "false" => {
                    self.bytes.push(u8::from(text == "true"));
                    Ok(())
                }
                _ => Err(E::invalid_value(Unexpected::Str(text), &"true or false")),
            },
            value => {
                IntegerVisitor {
                    value,
                    bytes: self.bytes,
                }
                .visit_str(text)?;
                Ok(())
            }
        }
    }
}
