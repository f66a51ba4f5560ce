//! JSON that has to be built in memory, for prost-reflect. Their number is bounded: each of its values takes hundreds of bytes,
//! and a client's `0,` takes two.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How many values one such message may have.
const MAX_VALUES: usize = 10_000;

/// Reads any JSON, unless it has too many values.
pub(super) fn build<'de, D: Deserializer<'de>>(text: D) -> Result<Value, D::Error> {
    let mut left = MAX_VALUES;
    Building { left: &mut left }.deserialize(text)
}

struct Building<'a> {
    /// How many more values there may be.
    left: &'a mut usize,
}

impl Building<'_> {
    fn count<E: Error>(&mut self, values: usize) -> Result<(), E> {
        let left = self.left.checked_sub(values);
        *self.left = left.ok_or_else(|| {
            E::custom(format_args!(
                "more than {MAX_VALUES} values in a message of this type; send fewer"
            ))
        })?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Building<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, text: D) -> Result<Value, D::Error> {
        self.count(1)?;
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Building<'_> {
    type Value = Value;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<Value, E> {
        // A FieldMask is one string of many paths.
        self.count(value.bytes().filter(|byte| *byte == b',').count())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element_seed(Building {
            left: &mut *self.left,
        })? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let left = &mut *self.left;
            let value = entries.next_value_seed(Building { left })?;
            if object.contains_key(&name) {
                return Err(A::Error::custom("a field occurs twice"));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}
