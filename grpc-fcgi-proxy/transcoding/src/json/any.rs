//! The content of a google.protobuf.Any as JSON.

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value};

use crate::schema::{Form, Schema};

impl Schema {
    /// The JSON of a google.protobuf.Any. `None` if its type is not in the schema, or its value is not of that type.
    #[must_use]
    pub fn any_to_json(&self, type_url: &str, value: &[u8]) -> Option<Value> {
        let name = type_url.rsplit('/').next()?;
        let message = self.message_type(self.message(name)?);
        let decoded = DynamicMessage::decode(message.descriptor.clone(), value).ok()?;
        let mut json = Map::new();
        json.insert("@type".to_owned(), type_url.into());
        match serde_json::to_value(&decoded).ok()? {
            Value::Object(fields) if message.form == Form::Object => json.extend(fields),
            value => {
                json.insert("value".to_owned(), value);
            }
        }
        Some(json.into())
    }
}
