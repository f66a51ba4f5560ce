//! Values as URLs have them: the text of a scalar, or the string that is the JSON of a message.

use prost::encoding::{WireType, encode_key};
use serde::de::value::Error;
use serde::de::{DeserializeSeed, IntoDeserializer, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::read::{KeyedSeed, Reader, begin_content, end_content};
use super::{MAX_DEPTH, Unknown};
use crate::schema::{Field, Form, Schema, ValueType};

/// Appends the value with the key of its field. The result is false if there is none: the name of an enum value that is
/// dropped.
pub(crate) fn read(
    schema: &Schema,
    field: &Field,
    text: &str,
    unknown: Unknown,
    bytes: &mut Vec<u8>,
) -> Result<bool, Error> {
    let ValueType::Message(id) = field.value else {
        return seed(schema, field, unknown, bytes).read(text);
    };
    let message = schema.message_type(id);
    if !matches!(message.form, Form::Wrapper | Form::Time) {
        return seed(schema, field, unknown, bytes).read(text);
    }
    encode_key(field.number, WireType::LengthDelimited, bytes);
    let start = begin_content(bytes);
    if message.form == Form::Wrapper {
        // Not by prost-reflect, which omits zero: it would not replace a value before it.
        seed(schema, &message.fields[0], unknown, bytes).read(text)?;
    } else {
        bytes.extend_from_slice(&NO_TIME);
        let reader = Reader { schema, unknown };
        reader.delegate(message, Text(text), bytes)?;
    }
    end_content(bytes, start);
    Ok(true)
}

/// The fields of a Timestamp or Duration as zero, for those that prost-reflect omits then: they would not replace values
/// before them.
const NO_TIME: [u8; 4] = [0x08, 0, 0x10, 0];

fn seed<'a>(
    schema: &'a Schema,
    field: &Field,
    unknown: Unknown,
    bytes: &'a mut Vec<u8>,
) -> KeyedSeed<'a> {
    KeyedSeed {
        reader: Reader { schema, unknown },
        number: field.number,
        value: field.value,
        depth: MAX_DEPTH,
        bytes,
    }
}

impl KeyedSeed<'_> {
    fn read(self, text: &str) -> Result<bool, Error> {
        match (self.value, text.parse::<i32>()) {
            (ValueType::Enum(_), Ok(number)) => self.deserialize(number.into_deserializer()),
            _ => self.deserialize(Text(text)),
        }
    }
}

/// A text whose type its reader knows.
struct Text<'a>(&'a str);

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // All that grpc-gateway accepts, by strconv.ParseBool of Go; Envoy's transcoder accepts these and more.
        match self.0 {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => visitor.visit_bool(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => visitor.visit_bool(false),
            text => visitor.visit_str(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
