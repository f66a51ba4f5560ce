//! Strings and numbers of JSON as values of a message. Each visitor appends the value; its result is false if there is none.

use std::fmt;

use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use prost::encoding::encode_varint;
use serde::de::{Error, Unexpected, Visitor};

use super::Unknown;
use crate::schema::{EnumType, ValueType};

const BASE64: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, BASE64);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, BASE64);

pub(super) struct StringVisitor<'a>(pub(super) &'a mut Vec<u8>);

impl Visitor<'_> for StringVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        self.0.extend_from_slice(text.as_bytes());
        Ok(true)
    }
}

pub(super) struct BytesVisitor<'a>(pub(super) &'a mut Vec<u8>);

impl Visitor<'_> for BytesVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("bytes in base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        let is_url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
        let engine = if is_url_safe {
            BASE64_URL
        } else {
            BASE64_STANDARD
        };
        match engine.decode_vec(text, self.0) {
            Ok(()) => Ok(true),
            Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

pub(super) struct BoolVisitor<'a>(pub(super) &'a mut Vec<u8>);

impl Visitor<'_> for BoolVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("true or false")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        self.0.push(u8::from(value));
        Ok(true)
    }
}

pub(super) struct FloatVisitor<'a> {
    pub(super) is_double: bool,
    pub(super) bytes: &'a mut Vec<u8>,
}

impl FloatVisitor<'_> {
    fn write(self, value: f64) -> bool {
        if self.is_double {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "the next float is meant")]
            self.bytes.extend_from_slice(&(value as f32).to_le_bytes());
        }
        true
    }
}

impl Visitor<'_> for FloatVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.is_double { 64 } else { 32 };
        write!(
            text,
            "a number of {bits} bits, or \"NaN\", \"Infinity\" or \"-Infinity\""
        )
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        let limit = if self.is_double {
            f64::MAX
        } else {
            f64::from(f32::MAX)
        };
        if value.abs() > limit {
            return Err(E::invalid_value(Unexpected::Float(value), &self));
        }
        Ok(self.write(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "the next float is meant")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        Ok(self.write(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "the next float is meant")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        Ok(self.write(value as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        match text {
            "NaN" => Ok(self.write(f64::NAN)),
            "Infinity" => Ok(self.write(f64::INFINITY)),
            "-Infinity" => Ok(self.write(f64::NEG_INFINITY)),
            _ => match number(text) {
                Some(value) => self.visit_f64(value),
                None => Err(E::invalid_value(Unexpected::Str(text), &self)),
            },
        }
    }
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<f64> {
    serde_json::from_str(text)
        .ok()
        .filter(|_| text.trim() == text)
}

pub(super) struct IntegerVisitor<'a> {
    pub(super) value: ValueType,
    pub(super) bytes: &'a mut Vec<u8>,
}

impl IntegerVisitor<'_> {
    fn write<E: Error>(mut self, integer: i128) -> Result<bool, E> {
        match self.encode(integer) {
            Some(()) => Ok(true),
            None => Err(E::custom(format_args!("{integer} is out of range"))),
        }
    }

    #[expect(
        clippy::cast_sign_loss,
        reason = "negative numbers are encoded as their two's complement"
    )]
    fn encode(&mut self, integer: i128) -> Option<()> {
        let Self { value, bytes } = self;
        match value {
            ValueType::Int32 => {
                encode_varint(i64::from(i32::try_from(integer).ok()?) as u64, bytes)
            }
            ValueType::Int64 => encode_varint(i64::try_from(integer).ok()? as u64, bytes),
            ValueType::Uint32 => encode_varint(u32::try_from(integer).ok()?.into(), bytes),
            ValueType::Uint64 => encode_varint(u64::try_from(integer).ok()?, bytes),
            ValueType::Sint32 => {
                let integer = i32::try_from(integer).ok()?;
                encode_varint(u64::from(((integer << 1) ^ (integer >> 31)) as u32), bytes);
            }
            ValueType::Sint64 => {
                let integer = i64::try_from(integer).ok()?;
                encode_varint(((integer << 1) ^ (integer >> 63)) as u64, bytes);
            }
            ValueType::Fixed32 => {
                bytes.extend_from_slice(&u32::try_from(integer).ok()?.to_le_bytes())
            }
            ValueType::Fixed64 => {
                bytes.extend_from_slice(&u64::try_from(integer).ok()?.to_le_bytes())
            }
            ValueType::Sfixed32 => {
                bytes.extend_from_slice(&i32::try_from(integer).ok()?.to_le_bytes())
            }
            ValueType::Sfixed64 => {
                bytes.extend_from_slice(&i64::try_from(integer).ok()?.to_le_bytes())
            }
            _ => return None,
        }
        Some(())
    }
}

impl Visitor<'_> for IntegerVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("an integer")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.write(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.write(value.into())
    }

    /// JSON does not tell integers from other numbers: 1.0 and 1e3 are integers.
    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        if value.fract() != 0.0 {
            return Err(E::invalid_value(Unexpected::Float(value), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is too large is out of range then too"
        )]
        self.write(value as i128)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        let decimal = text.strip_prefix('-').unwrap_or(text);
        if decimal.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(value) = text.parse()
        {
            return self.write(value);
        }
        match number(text) {
            Some(value) => self.visit_f64(value),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

pub(super) struct EnumVisitor<'a> {
    pub(super) names: &'a EnumType,
    /// What to do with the name of an unknown value.
    pub(super) unknown: Unknown,
    pub(super) bytes: &'a mut Vec<u8>,
}

impl<'a> EnumVisitor<'a> {
    fn number(self) -> IntegerVisitor<'a> {
        IntegerVisitor {
            value: ValueType::Int32,
            bytes: self.bytes,
        }
    }
}

impl Visitor<'_> for EnumVisitor<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("the name or number of an enum value")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.number().visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.number().visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.number().visit_f64(value)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        match self.names.number(name) {
            Some(number) => self.number().visit_i64(number.into()),
            None if self.unknown == Unknown::Drop => Ok(false),
            None => Err(E::invalid_value(Unexpected::Str(name), &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        if self.names.is_null {
            return self.number().visit_i64(0);
        }
        Err(E::invalid_type(Unexpected::Unit, &self))
    }
}
