//! Records of the log.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A record without repeated keys: of those, readers of JSON keep one, or refuse the record.
pub(crate) struct Record(pub(crate) Value);

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueKeys)
    }
}

struct UniqueKeys;

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record without repeated keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Record, A::Error> {
        let mut record = Map::new();
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            if let Some(first) = record.insert(key, value) {
                return Err(A::Error::custom(format!("the key of {first} repeats")));
            }
        }
        Ok(Record(Value::Object(record)))
    }
}

#[test]
fn a_repeated_key_is_refused() {
    assert!(serde_json::from_str::<Record>(r#"{"a": 1, "b": 2}"#).is_ok());
    assert!(serde_json::from_str::<Record>(r#"{"a": 1, "a": 2}"#).is_err());
}
