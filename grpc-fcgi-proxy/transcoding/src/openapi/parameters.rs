//! The parameters of a path, and values as texts.

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::{Value, json};

use super::messages::described;
use super::paths::Operation;
use super::scalars::enum_number;
use super::schemas::Schemas;

/// A field, behind those that contain it.
pub(super) type FieldPath = Vec<FieldDescriptor>;

/// The field of a name such as `book.name`.
pub(super) fn resolve(message: &MessageDescriptor, name: &str) -> Option<FieldPath> {
    let mut message = Some(message.clone());
    let mut path = Vec::new();
    for name in name.split('.') {
        let outer = message?;
        let field = outer.get_field_by_name(name);
        let field = field.or_else(|| outer.get_field_by_json_name(name))?;
        message = field.kind().as_message().cloned();
        path.push(field);
    }
    Some(path)
}

/// Those of the path. `variables` are the fields of the template's.
pub(super) fn of_path(
    operation: &Operation<'_>,
    variables: &[Option<FieldPath>],
    schemas: &mut Schemas<'_>,
) -> Vec<Value> {
    let template = operation.route.template().to_string();
    let parameters = operation.path.parameters.iter().map(|parameter| {
        let field = parameter
            .variable
            .and_then(|position| variables[position].as_ref());
        let field = field.and_then(|path| path.last());
        let (mut schema, comment) = match field {
            Some(field) if parameter.is_whole => {
                let schema = described(value(field, schemas), field, schemas.comments);
                let comment = schema.get("description").cloned();
                (schema, comment)
            }
            _ => (json!({"type": "string"}), None),
        };
        if let Some(object) = schema.as_object_mut() {
            object.remove("description");
            // Without a text, a path has no such segment.
            object.insert("minLength".to_owned(), 1.into());
        }
        let comment = comment.as_ref().and_then(Value::as_str);
        let place = (!parameter.is_whole).then(|| match parameter.is_rest {
            true => format!(
                "In place of `**` in `{template}`, which stands for any number of segments."
            ),
            false => format!("In place of a `*` in `{template}`."),
        });
        let description: Vec<_> = comment.into_iter().chain(place.as_deref()).collect();
        let mut parameter =
            json!({"name": parameter.name, "in": "path", "required": true, "schema": schema});
        if !description.is_empty() {
            parameter["description"] = description.join("\n\n").into();
        }
        parameter
    });
    parameters.collect()
}

/// The value of a field as a text.
pub(super) fn value(field: &FieldDescriptor, schemas: &mut Schemas<'_>) -> Value {
    let kind = field.kind();
    match kind.as_enum() {
        Some(descriptor) if descriptor.full_name() == "google.protobuf.NullValue" => {
            json!({"anyOf": [{"const": "NULL_VALUE"}, enum_number()]})
        }
        _ => schemas.value(&kind),
    }
}
