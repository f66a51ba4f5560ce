//! Any JSON: google.protobuf.Value, Struct and ListValue (google/protobuf/struct.proto).
//!
//! They are read as other messages are, without being built in memory: a client's `{}` would take hundreds of bytes.

use std::fmt;

use prost::encoding::{WireType, encode_key, encode_varint};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::read::{begin_content, end_content};
use crate::schema::MessageType;

/// Of Value.
const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: u32 = 5;
const LIST: u32 = 6;
/// Of Struct, and of ListValue.
const ENTRIES: u32 = 1;
/// Of an entry of a Struct.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// What JSON a message is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dynamic {
    Value,
    Struct,
    List,
}

impl Dynamic {
    pub(super) fn of(message: &MessageType) -> Option<Self> {
        match message.descriptor.full_name() {
            "google.protobuf.Value" => Some(Self::Value),
            "google.protobuf.Struct" => Some(Self::Struct),
            "google.protobuf.ListValue" => Some(Self::List),
            _ => None,
        }
    }

    /// Appends the message without its key. It may contain `depth` messages within each other. The result is true: there is
    /// a value.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        self,
        text: D,
        depth: u32,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, D::Error> {
        let seed = DynamicSeed {
            dynamic: self,
            depth,
            bytes,
        };
        seed.deserialize(text).map(|()| true)
    }
}

struct DynamicSeed<'a> {
    dynamic: Dynamic,
    depth: u32,
    bytes: &'a mut Vec<u8>,
}

impl DynamicSeed<'_> {
    /// Appends a message within this one, with its key.
    fn within<E: Error>(
        &mut self,
        field: u32,
        dynamic: Dynamic,
        read: impl FnOnce(DynamicSeed<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("messages contain each other too often"))?;
        encode_key(field, WireType::LengthDelimited, self.bytes);
        let start = begin_content(self.bytes);
        read(DynamicSeed {
            dynamic,
            depth,
            bytes: &mut *self.bytes,
        })?;
        end_content(self.bytes, start);
        Ok(())
    }

    fn text(&mut self, field: u32, text: &str) {
        encode_key(field, WireType::LengthDelimited, self.bytes);
        encode_varint(text.len() as u64, self.bytes);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn flag(&mut self, field: u32, value: u8) {
        encode_key(field, WireType::Varint, self.bytes);
        self.bytes.push(value);
    }
}

impl<'de> DeserializeSeed<'de> for DynamicSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        match self.dynamic {
            Dynamic::Value => text.deserialize_any(ValueVisitor(self)),
            Dynamic::Struct => text.deserialize_map(StructVisitor(self)),
            Dynamic::List => text.deserialize_seq(ListVisitor(self)),
        }
    }
}

struct ValueVisitor<'a>(DynamicSeed<'a>);

impl<'de> Visitor<'de> for ValueVisitor<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("any JSON")
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.0.flag(NULL, 0);
        Ok(())
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        self.0.flag(BOOL, u8::from(value));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        encode_key(NUMBER, WireType::SixtyFourBit, self.0.bytes);
        self.0.bytes.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "the next number is meant")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "the next number is meant")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        self.0.text(STRING, value);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let read = |seed: DynamicSeed<'_>| StructVisitor(seed).visit_map(map);
        self.0.within(STRUCT, Dynamic::Struct, read)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, list: A) -> Result<(), A::Error> {
        let read = |seed: DynamicSeed<'_>| ListVisitor(seed).visit_seq(list);
        self.0.within(LIST, Dynamic::List, read)
    }
}

struct StructVisitor<'a>(DynamicSeed<'a>);

impl<'de> Visitor<'de> for StructVisitor<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        loop {
            let before = self.0.bytes.len();
            encode_key(ENTRIES, WireType::LengthDelimited, self.0.bytes);
            let start = begin_content(self.0.bytes);
            if map.next_key_seed(NameSeed(&mut self.0))?.is_none() {
                self.0.bytes.truncate(before);
                return Ok(());
            }
            let read = |seed: DynamicSeed<'_>| map.next_value_seed(seed);
            self.0.within(VALUE, Dynamic::Value, read)?;
            end_content(self.0.bytes, start);
        }
    }
}

/// Appends the name of an entry.
struct NameSeed<'a, 'b>(&'a mut DynamicSeed<'b>);

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.text(KEY, name);
        Ok(())
    }
}

struct ListVisitor<'a>(DynamicSeed<'a>);

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        loop {
            let before = self.0.bytes.len();
            let mut has_value = false;
            self.0.within(ENTRIES, Dynamic::Value, |seed| {
                has_value = list.next_element_seed(seed)?.is_some();
                Ok(())
            })?;
            if !has_value {
                self.0.bytes.truncate(before);
                return Ok(());
            }
        }
    }
}
