//! The JSON mapping against that of prost-reflect, with random messages.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::{FIXTURE, json, read};
use crate::json::Unknown;

/// A message whose fields are chosen by the bytes of `choices`.
fn message(
    descriptor: &MessageDescriptor,
    choices: &mut impl Iterator<Item = u8>,
    depth: u32,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let is_well_known = field
            .kind()
            .as_message()
            .is_some_and(|m| m.full_name().starts_with("google."));
        if choices.next().is_none_or(|choice| choice % 3 != 0) || is_well_known {
            continue;
        }
        if let Some(value) = field_value(&field, choices, depth) {
            message.set_field(&field, value);
        }
    }
    message
}

fn field_value(
    field: &FieldDescriptor,
    choices: &mut impl Iterator<Item = u8>,
    depth: u32,
) -> Option<Value> {
    let count = choices.next()? % 3;
    if field.is_map() {
        let kind = field.kind();
        let entry = kind.as_message()?;
        let (key, value) = (
            entry.map_entry_key_field().kind(),
            entry.map_entry_value_field().kind(),
        );
        let entries = (0..count)
            .filter_map(|_| Some((map_key(&key, choices)?, value_of(&value, choices, depth)?)));
        return Some(Value::Map(entries.collect::<HashMap<_, _>>()));
    }
    if field.is_list() {
        let elements = (0..count).filter_map(|_| value_of(&field.kind(), choices, depth));
        return Some(Value::List(elements.collect()));
    }
    value_of(&field.kind(), choices, depth)
}

fn map_key(kind: &Kind, choices: &mut impl Iterator<Item = u8>) -> Option<MapKey> {
    Some(match value_of(kind, choices, 0)? {
        Value::Bool(key) => MapKey::Bool(key),
        Value::I32(key) => MapKey::I32(key),
        Value::I64(key) => MapKey::I64(key),
        Value::String(key) => MapKey::String(key),
        _ => return None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "any bits are good")]
fn value_of(kind: &Kind, choices: &mut impl Iterator<Item = u8>, depth: u32) -> Option<Value> {
    let mut bits = 0_u64;
    for _ in 0..choices.next()? % 9 {
        bits = bits << 8 | u64::from(choices.next()?);
    }
    let text = || {
        char::from_u32(bits as u32 & 0xffff)
            .unwrap_or('-')
            .to_string()
    };
    Some(match kind {
        Kind::Double => Value::F64(f64::from_bits(bits)),
        Kind::Float => Value::F32(f32::from_bits(bits as u32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(bits & 1 == 1),
        Kind::String => Value::String(text()),
        Kind::Bytes => Value::Bytes(Bytes::copy_from_slice(
            &bits.to_le_bytes()[..(bits % 8) as usize],
        )),
        Kind::Enum(values) if values.full_name().starts_with("google.") => Value::EnumNumber(0),
        Kind::Enum(_) => Value::EnumNumber((bits % 5) as i32 - 2),
        Kind::Message(inner) => Value::Message(message(inner, choices, depth.checked_sub(1)?)),
    })
}

fn value(json: &[u8]) -> serde_json::Value {
    serde_json::from_slice(json).unwrap()
}

proptest! {
    #[test]
    fn messages_have_the_json_of_prost_reflect(choices in vec(any::<u8>(), 0..2000)) {
        let message = message(&FIXTURE.descriptor, &mut choices.into_iter(), 4);
        let bytes = message.encode_to_vec();
        let text = json(&bytes).unwrap();
        let expected = serde_json::to_vec(&message).unwrap();
        prop_assert_eq!(value(text.as_bytes()), value(&expected));
        let again = read(&text, Unknown::Refuse).unwrap();
        prop_assert_eq!(json(&again).unwrap(), text);
    }

    #[test]
    fn what_both_accept_has_the_same_json(choices in vec(any::<u8>(), 0..300), at in any::<u16>(), byte in any::<u8>()) {
        let mut bytes = message(&FIXTURE.descriptor, &mut choices.into_iter(), 2).encode_to_vec();
        if !bytes.is_empty() {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        let expected = DynamicMessage::decode(FIXTURE.descriptor.clone(), bytes.as_slice());
        // A map's entry that is malformed may be malformed for one of them only.
        if let (Ok(json), Ok(expected)) = (json(&bytes), expected) {
            prop_assert_eq!(value(json.as_bytes()), value(&serde_json::to_vec(&expected).unwrap()));
        }
    }
}
