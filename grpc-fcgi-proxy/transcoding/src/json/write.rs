//! An encoded message as JSON.

use base64::Engine;
use base64::encoded_len;
use base64::prelude::BASE64_STANDARD;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::DynamicMessage;
use serde::Serialize;
use serde::ser::Error;

use super::WriteError;
use crate::schema::{Field, MessageId, MessageType, Schema, Shape, ValueType};

/// Appends JSON.
pub(super) struct Writer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) json: &'a mut Vec<u8>,
}

/// A value as it is encoded.
pub(super) enum Encoded<'a> {
    Number(Number),
    /// A string, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

#[derive(Clone, Copy)]
pub(super) enum Number {
    Varint(u64),
    Bits64(u64),
    Bits32(u32),
}

impl Writer<'_> {
    pub(super) fn message(
        &mut self,
        id: MessageId,
        bytes: &[u8],
        depth: u32,
    ) -> Result<(), WriteError> {
        let depth = depth.checked_sub(1).ok_or(WriteError::TooDeep)?;
        let message = self.schema.message_type(id);
        if message.delegated || !is_ordered(message, bytes)? {
            let message = DynamicMessage::decode(message.descriptor.clone(), bytes)?;
            serde_json::to_writer(&mut *self.json, &message)?;
            return Ok(());
        }
        self.json.push(b'{');
        self.fields(message, bytes, depth)?;
        self.json.push(b'}');
        Ok(())
    }

    fn fields(
        &mut self,
        message: &MessageType,
        mut bytes: &[u8],
        depth: u32,
    ) -> Result<(), WriteError> {
        let mut first = true;
        // The list or object that the last field has opened.
        let mut open: Option<usize> = None;
        while let Some((index, encoded)) = next(message, &mut bytes)? {
            let field = &message.fields[index];
            if open != Some(index) {
                self.close(message, open.take());
                if is_absent(field, &encoded) {
                    continue;
                }
                self.comma(&mut first);
                self.json.extend_from_slice(&field.key);
                match field.shape {
                    Shape::Repeated { .. } => self.json.push(b'['),
                    Shape::Map => self.json.push(b'{'),
                    Shape::Implicit | Shape::Explicit => {}
                }
                if matches!(field.shape, Shape::Repeated { .. } | Shape::Map) {
                    open = Some(index);
                }
            } else if !is_absent(field, &encoded) {
                self.json.push(b',');
            }
            match field.shape {
                Shape::Implicit | Shape::Explicit => self.value(field.value, encoded, depth)?,
                Shape::Repeated { .. } => self.elements(field.value, encoded, depth)?,
                Shape::Map => self.entry(field.value, encoded, depth)?,
            }
        }
        self.close(message, open);
        Ok(())
    }

    pub(super) fn comma(&mut self, first: &mut bool) {
        if !*first {
            self.json.push(b',');
        }
        *first = false;
    }

    fn close(&mut self, message: &MessageType, open: Option<usize>) {
        match open.map(|index| message.fields[index].shape) {
            Some(Shape::Map) => self.json.push(b'}'),
            Some(_) => self.json.push(b']'),
            None => {}
        }
    }

    /// One element, or several that are packed.
    pub(super) fn elements(
        &mut self,
        value: ValueType,
        encoded: Encoded<'_>,
        depth: u32,
    ) -> Result<(), WriteError> {
        match encoded {
            Encoded::Bytes(mut packed) if value.wire_type() != WireType::LengthDelimited => {
                let mut first = true;
                while !packed.is_empty() {
                    self.comma(&mut first);
                    let number = Number::read(value.wire_type(), &mut packed)?;
                    self.number(value, number)?;
                }
                Ok(())
            }
            _ => self.value(value, encoded, depth),
        }
    }

    /// One entry of a map. A key that occurs twice in a message does so in JSON, where the last one counts too.
    pub(super) fn entry(
        &mut self,
        entry: ValueType,
        encoded: Encoded<'_>,
        depth: u32,
    ) -> Result<(), WriteError> {
        let (ValueType::Message(id), Encoded::Bytes(mut bytes)) = (entry, encoded) else {
            return Err(WriteError::WireType);
        };
        let depth = depth.checked_sub(1).ok_or(WriteError::TooDeep)?;
        let entry = self.schema.message_type(id);
        let mut parts = [None, None];
        while let Some((index, encoded)) = next(entry, &mut bytes)? {
            parts[index] = Some(encoded);
        }
        let [key, value] = parts;
        let [key_type, value_type] = [entry.fields[0].value, entry.fields[1].value];
        let key = key.unwrap_or(default(key_type));
        let quoted = key_type == ValueType::String || key_type.is_64_bit_integer();
        if !quoted {
            self.json.push(b'"');
        }
        self.value(key_type, key, depth)?;
        if !quoted {
            self.json.push(b'"');
        }
        self.json.push(b':');
        self.value(value_type, value.unwrap_or(default(value_type)), depth)
    }

    pub(super) fn value(
        &mut self,
        value: ValueType,
        encoded: Encoded<'_>,
        depth: u32,
    ) -> Result<(), WriteError> {
        match (value, encoded) {
            (ValueType::Message(id), Encoded::Bytes(bytes)) => self.message(id, bytes, depth),
            (ValueType::String, Encoded::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes).map_err(|_| WriteError::NotUtf8)?;
                Ok(serde_json::to_writer(&mut *self.json, text)?)
            }
            (ValueType::Bytes, Encoded::Bytes(bytes)) => self.base64(bytes),
            (_, Encoded::Number(number)) => self.number(value, number),
            _ => Err(WriteError::WireType),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "protobuf truncates what is too long for its type, and encodes negative numbers as their two's complement"
    )]
    fn number(&mut self, value: ValueType, number: Number) -> Result<(), WriteError> {
        match (value, number) {
            (ValueType::Double, Number::Bits64(bits)) => self
                .float(f64::from_bits(bits), |json, float| {
                    serde_json::to_writer(json, &float)
                }),
            (ValueType::Float, Number::Bits32(bits)) => {
                let float = f32::from_bits(bits);
                self.float(f64::from(float), |json, _| {
                    serde_json::to_writer(json, &float)
                })
            }
            (ValueType::Bool, Number::Varint(bits)) => {
                self.json
                    .extend_from_slice(if bits == 0 { b"false" } else { b"true" });
                Ok(())
            }
            (ValueType::Int32, Number::Varint(bits)) => self.integer(bits as i32),
            (ValueType::Uint32, Number::Varint(bits)) => self.integer(bits as u32),
            (ValueType::Sint32, Number::Varint(bits)) => {
                let bits = bits as u32;
                self.integer((bits >> 1) as i32 ^ -((bits & 1) as i32))
            }
            (ValueType::Fixed32, Number::Bits32(bits)) => self.integer(bits),
            (ValueType::Sfixed32, Number::Bits32(bits)) => self.integer(bits as i32),
            (ValueType::Int64, Number::Varint(bits))
            | (ValueType::Sfixed64, Number::Bits64(bits)) => self.quoted(bits as i64),
            (ValueType::Uint64, Number::Varint(bits))
            | (ValueType::Fixed64, Number::Bits64(bits)) => self.quoted(bits),
            (ValueType::Sint64, Number::Varint(bits)) => {
                self.quoted((bits >> 1) as i64 ^ -((bits & 1) as i64))
            }
            (ValueType::Enum(id), Number::Varint(bits)) => {
                let number = bits as i32;
                let names = self.schema.enum_type(id);
                match names.name(number) {
                    _ if names.is_null => self.json.extend_from_slice(b"null"),
                    Some(name) => {
                        self.json.push(b'"');
                        self.json.extend_from_slice(name.as_bytes());
                        self.json.push(b'"');
                    }
                    None => self.integer(number)?,
                }
                Ok(())
            }
            _ => Err(WriteError::WireType),
        }
    }

    fn float(
        &mut self,
        float: f64,
        finite: impl FnOnce(&mut Vec<u8>, f64) -> serde_json::Result<()>,
    ) -> Result<(), WriteError> {
        if float.is_finite() {
            return Ok(finite(self.json, float)?);
        }
        let name = if float.is_nan() {
            "\"NaN\""
        } else if float > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        };
        self.json.extend_from_slice(name.as_bytes());
        Ok(())
    }

    /// Much faster than formatting it.
    fn integer(&mut self, integer: impl Serialize) -> Result<(), WriteError> {
        Ok(serde_json::to_writer(&mut *self.json, &integer)?)
    }

    fn quoted(&mut self, integer: impl Serialize) -> Result<(), WriteError> {
        self.json.push(b'"');
        self.integer(integer)?;
        self.json.push(b'"');
        Ok(())
    }

    fn base64(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.json.push(b'"');
        let start = self.json.len();
        let length = encoded_len(bytes.len(), true).unwrap_or_default();
        self.json.resize(start + length, 0);
        let encoded = BASE64_STANDARD.encode_slice(bytes, &mut self.json[start..]);
        encoded.map_err(serde_json::Error::custom)?;
        self.json.push(b'"');
        Ok(())
    }
}

/// Whether each field has its place: no other number between two values of a field, and one value for each oneof and each
/// field that has one.
fn is_ordered(message: &MessageType, mut bytes: &[u8]) -> Result<bool, WriteError> {
    let mut last = None;
    let mut oneofs = 0_u64;
    while let Some((index, _)) = next(message, &mut bytes)? {
        let field = &message.fields[index];
        let repeats = matches!(field.shape, Shape::Repeated { .. } | Shape::Map);
        if last > Some(index) || (last == Some(index) && !repeats) {
            return Ok(false);
        }
        last = Some(index);
        if let Some(oneof) = field.oneof {
            let bit = 1_u64
                .checked_shl(u32::try_from(oneof).unwrap_or(u32::MAX))
                .unwrap_or(u64::MAX);
            if oneofs & bit != 0 {
                return Ok(false);
            }
            oneofs |= bit;
        }
    }
    Ok(true)
}

/// The next field that the schema has.
pub(super) fn next<'a>(
    message: &MessageType,
    bytes: &mut &'a [u8],
) -> Result<Option<(usize, Encoded<'a>)>, WriteError> {
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(bytes)?;
        let Some(index) = message.field(number) else {
            skip_field(wire_type, number, bytes, DecodeContext::default())?;
            continue;
        };
        let encoded = match wire_type {
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(bytes)?).ok();
                let content = length
                    .and_then(|length| bytes.split_off(..length))
                    .ok_or(WriteError::Truncated)?;
                Encoded::Bytes(content)
            }
            other => Encoded::Number(Number::read(other, bytes)?),
        };
        return Ok(Some((index, encoded)));
    }
    Ok(None)
}

impl Encoded<'_> {
    fn wire_type(&self) -> WireType {
        match self {
            Self::Number(Number::Varint(_)) => WireType::Varint,
            Self::Number(Number::Bits64(_)) => WireType::SixtyFourBit,
            Self::Number(Number::Bits32(_)) => WireType::ThirtyTwoBit,
            Self::Bytes(_) => WireType::LengthDelimited,
        }
    }
}

impl Number {
    fn read(wire_type: WireType, bytes: &mut &[u8]) -> Result<Self, WriteError> {
        match wire_type {
            WireType::Varint => Ok(Self::Varint(decode_varint(bytes)?)),
            WireType::SixtyFourBit => Ok(Self::Bits64(
                bytes.try_get_u64_le().map_err(|_| WriteError::Truncated)?,
            )),
            WireType::ThirtyTwoBit => Ok(Self::Bits32(
                bytes.try_get_u32_le().map_err(|_| WriteError::Truncated)?,
            )),
            _ => Err(WriteError::WireType),
        }
    }

    fn is_zero(self) -> bool {
        match self {
            Self::Varint(bits) | Self::Bits64(bits) => bits == 0,
            Self::Bits32(bits) => bits == 0,
        }
    }
}

/// Whether JSON omits the field: no element, or the default of a field without presence.
pub(super) fn is_absent(field: &Field, encoded: &Encoded<'_>) -> bool {
    let is_own_type = encoded.wire_type() == field.value.wire_type();
    match (field.shape, encoded) {
        (Shape::Implicit, Encoded::Number(number)) => is_own_type && number.is_zero(),
        (Shape::Implicit, Encoded::Bytes(bytes)) => is_own_type && bytes.is_empty(),
        (Shape::Repeated { .. }, Encoded::Bytes(bytes)) => !is_own_type && bytes.is_empty(),
        _ => false,
    }
}

pub(super) fn default(value: ValueType) -> Encoded<'static> {
    match value.wire_type() {
        WireType::Varint => Encoded::Number(Number::Varint(0)),
        WireType::SixtyFourBit => Encoded::Number(Number::Bits64(0)),
        WireType::ThirtyTwoBit => Encoded::Number(Number::Bits32(0)),
        _ => Encoded::Bytes(&[]),
    }
}
