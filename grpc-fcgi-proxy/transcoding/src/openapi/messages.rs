//! The schemas of messages, their fields, and enums.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use super::scalars::{enum_number, signed, up_to};
use super::schemas::Schemas;
use super::well_known;

/// A message as an object of its fields.
pub(super) fn message(message: &MessageDescriptor, schemas: &mut Schemas<'_>) -> Value {
    without(message, &[], schemas)
}

/// A message without the fields whose paths are `bound`, such as `name` and `parent.id`.
pub(super) fn without(
    message: &MessageDescriptor,
    bound: &[Vec<FieldDescriptor>],
    schemas: &mut Schemas<'_>,
) -> Value {
    let mut properties = Map::new();
    let mut present = Vec::new();
    for field in message.fields() {
        let inner = within(&field, bound);
        if inner.iter().any(Vec::is_empty) {
            continue;
        }
        let schema = with_inner(&field, &inner, schemas);
        properties.insert(field.json_name().to_owned(), schema);
        present.push(field);
    }
    for extension in message.extensions() {
        let value = schemas.value(&extension.kind());
        let schema = if extension.is_list() {
            list(value)
        } else {
            nullable(value)
        };
        properties.insert(extension.json_name().to_owned(), schema);
    }
    let mut object = schemas.object(properties);
    let exclusions = exclusions(message, &present);
    if !exclusions.is_empty() {
        object["allOf"] = exclusions.into();
    }
    let comment = schemas.comments.get(&message.parent_file(), message.path());
    let options = message.descriptor_proto().options.clone();
    let deprecated = options.is_some_and(|options| options.deprecated());
    annotated(object, comment, deprecated)
}

/// The value of a field, without those fields of it whose paths are `bound`.
pub(super) fn field_without(
    field: &FieldDescriptor,
    bound: &[Vec<FieldDescriptor>],
    schemas: &mut Schemas<'_>,
) -> Value {
    with_inner(field, &within(field, bound), schemas)
}

/// The paths that begin with the field, behind it.
fn within(field: &FieldDescriptor, bound: &[Vec<FieldDescriptor>]) -> Vec<Vec<FieldDescriptor>> {
    let paths = bound.iter().filter(|path| path.first() == Some(field));
    paths.map(|path| path[1..].to_vec()).collect()
}

fn with_inner(
    field: &FieldDescriptor,
    inner: &[Vec<FieldDescriptor>],
    schemas: &mut Schemas<'_>,
) -> Value {
    match field.kind() {
        Kind::Message(message) if !inner.is_empty() => {
            let schema = without(&message, inner, schemas);
            described(nullable(schema), field, schemas.comments)
        }
        _ => self::field(field, schemas),
    }
}

/// The value of a field in the object of its message.
pub(super) fn field(field: &FieldDescriptor, schemas: &mut Schemas<'_>) -> Value {
    let kind = field.kind();
    let schema = if field.is_map() {
        map(&kind, schemas)
    } else if field.is_list() {
        list(schemas.value(&kind))
    } else if takes_null(&kind) {
        schemas.value(&kind)
    } else {
        nullable(schemas.value(&kind))
    };
    described(schema, field, schemas.comments)
}

/// The schema, with the comment of the field.
pub(super) fn described(schema: Value, field: &FieldDescriptor, comments: &Comments) -> Value {
    let comment = comments.get(&field.parent_message().parent_file(), field.path());
    let options = field.field_descriptor_proto().options.clone();
    let deprecated = options.is_some_and(|options| options.deprecated());
    annotated(schema, comment, deprecated)
}

/// Whether null is a value of the field.
fn takes_null(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => well_known::takes_null(message),
        Kind::Enum(descriptor) => is_null(descriptor),
        _ => false,
    }
}

fn is_null(descriptor: &EnumDescriptor) -> bool {
    descriptor.full_name() == "google.protobuf.NullValue"
}

fn list(items: Value) -> Value {
    json!({"type": ["array", "null"], "items": items})
}

fn map(entry: &Kind, schemas: &mut Schemas<'_>) -> Value {
    let Kind::Message(entry) = entry else {
        return Value::Bool(true);
    };
    let value = schemas.value(&entry.map_entry_value_field().kind());
    let mut object = json!({"type": ["object", "null"], "additionalProperties": value});
    let pattern = match entry.map_entry_key_field().kind() {
        Kind::Bool => "^(?:true|false)$".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => signed("2147483648", "2147483647"),
        Kind::Uint32 | Kind::Fixed32 => format!("^{}$", up_to("4294967295")),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            signed("9223372036854775808", "9223372036854775807")
        }
        Kind::Uint64 | Kind::Fixed64 => format!("^{}$", up_to("18446744073709551615")),
        _ => return object,
    };
    object["propertyNames"] = json!({"pattern": pattern});
    object
}

/// null stands for no value.
fn nullable(mut schema: Value) -> Value {
    match schema.get("type") {
        Some(Value::String(name)) => {
            schema["type"] = json!([name, "null"]);
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// For each oneof: one of its fields has a value, or none.
fn exclusions(message: &MessageDescriptor, present: &[FieldDescriptor]) -> Vec<Value> {
    let oneofs = message.oneofs().map(|oneof| {
        let fields = oneof.fields();
        fields.filter(|field| present.contains(field)).collect()
    });
    oneofs
        .filter(|fields: &Vec<_>| fields.len() > 1)
        .map(|fields| exclusion(&fields))
        .collect()
}

fn exclusion(fields: &[FieldDescriptor]) -> Value {
    let mut choices: Vec<_> = fields.iter().map(has_value).collect();
    let none = fields.iter().map(|field| {
        let absent = if takes_null(&field.kind()) {
            Value::Bool(false)
        } else {
            json!({"type": "null"})
        };
        (field.json_name().to_owned(), absent)
    });
    choices.push(json!({"properties": none.collect::<Map<_, _>>()}));
    json!({"oneOf": choices})
}

fn has_value(field: &FieldDescriptor) -> Value {
    let name = field.json_name();
    if takes_null(&field.kind()) {
        return json!({"required": [name]});
    }
    json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}})
}

/// An enum: the names of its values, or a number, which need not be one of them.
pub(super) fn enumeration(descriptor: &EnumDescriptor, schemas: &Schemas<'_>) -> Value {
    let comments = schemas.comments;
    let file = descriptor.parent_file();
    let names: Vec<_> = descriptor
        .values()
        .map(|value| value.name().to_owned())
        .collect();
    let mut choices = vec![schemas.names(names), enum_number()];
    if is_null(descriptor) {
        choices.push(json!({"type": "null"}));
    }
    let values = descriptor.values().filter_map(|value| {
        let comment = comments.get(&file, value.path())?;
        Some(format!(
            "- {}: {}",
            value.name(),
            comment.replace('\n', "\n  ")
        ))
    });
    let comment = comments.get(&file, descriptor.path());
    let mut paragraphs: Vec<_> = comment.map(str::to_owned).into_iter().collect();
    let values: Vec<_> = values.collect();
    if !values.is_empty() {
        paragraphs.push(values.join("\n"));
    }
    let description = paragraphs.join("\n\n");
    let options = descriptor.enum_descriptor_proto().options.clone();
    let deprecated = options.is_some_and(|options| options.deprecated());
    let description = Some(description.as_str()).filter(|text| !text.is_empty());
    annotated(json!({"anyOf": choices}), description, deprecated)
}

pub(super) fn annotated(mut schema: Value, description: Option<&str>, deprecated: bool) -> Value {
    if let Some(description) = description {
        schema["description"] = description.into();
    }
    if deprecated {
        schema["deprecated"] = true.into();
    }
    schema
}
