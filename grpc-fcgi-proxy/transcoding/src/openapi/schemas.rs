//! components/schemas: each type that the paths need, once, by its full name.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use super::scalars::Scalar;
use super::{messages, well_known};
use crate::json::Unknown;

/// The types that were referred to so far.
pub(super) struct Schemas<'a> {
    pub(super) comments: &'a Comments,
    unknown: Unknown,
    /// `None` until it is described.
    components: BTreeMap<String, Option<Value>>,
    /// Recursive types refer to themselves, so no type is described within another.
    pending: Vec<Type>,
}

enum Type {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
}

impl<'a> Schemas<'a> {
    pub(super) fn new(comments: &'a Comments, unknown: Unknown) -> Self {
        Self {
            comments,
            unknown,
            components: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// An object of these properties: whether it may have others depends on what is done with those.
    pub(super) fn object(&self, properties: Map<String, Value>) -> Value {
        let mut object = json!({"type": "object", "properties": properties});
        if self.unknown == Unknown::Refuse {
            object["additionalProperties"] = false.into();
        }
        object
    }

    /// One of these names, or any, of which the others are dropped.
    pub(super) fn names(&self, names: Vec<String>) -> Value {
        match self.unknown {
            Unknown::Refuse => json!({"type": "string", "enum": names}),
            Unknown::Drop => json!({"type": "string", "examples": names}),
        }
    }

    /// All of them, described.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        while let Some(pending) = self.pending.pop() {
            let (name, schema) = match pending {
                Type::Message(message) => {
                    let schema = well_known::schema(&message, &mut self)
                        .unwrap_or_else(|| messages::message(&message, &mut self));
                    (message.full_name().to_owned(), schema)
                }
                Type::Enum(descriptor) => {
                    let schema = messages::enumeration(&descriptor, &self);
                    (descriptor.full_name().to_owned(), schema)
                }
            };
            self.components.insert(name, Some(schema));
        }
        let described = self.components.into_iter();
        described
            .filter_map(|(name, schema)| Some((name, schema?)))
            .collect()
    }

    /// A reference to a schema that is described at once.
    pub(super) fn given(&mut self, name: &str, schema: impl FnOnce() -> Value) -> Value {
        let component = self.components.entry(name.to_owned());
        component.or_insert_with(|| Some(schema()));
        reference(name)
    }

    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        let name = message.full_name();
        self.later(name, || Type::Message(message.clone()))
    }

    /// The schema of one value: not of a list, nor of null for no value.
    pub(super) fn value(&mut self, kind: &Kind) -> Value {
        let scalar = match kind {
            Kind::Bool => return json!({"type": "boolean"}),
            Kind::String => return json!({"type": "string"}),
            Kind::Message(message) => return self.message(message),
            Kind::Enum(descriptor) => {
                let name = descriptor.full_name();
                return self.later(name, || Type::Enum(descriptor.clone()));
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Scalar::Int32,
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Scalar::Int64,
            Kind::Uint32 | Kind::Fixed32 => Scalar::Uint32,
            Kind::Uint64 | Kind::Fixed64 => Scalar::Uint64,
            Kind::Float => Scalar::Float,
            Kind::Double => Scalar::Double,
            Kind::Bytes => Scalar::Bytes,
        };
        self.given(scalar.component(), || scalar.schema())
    }

    fn later(&mut self, name: &str, pending: impl FnOnce() -> Type) -> Value {
        if !self.components.contains_key(name) {
            self.components.insert(name.to_owned(), None);
            self.pending.push(pending());
        }
        reference(name)
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
