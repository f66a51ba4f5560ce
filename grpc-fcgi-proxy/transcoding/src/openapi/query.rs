//! The parameters of a query: the fields that neither the path nor the body has.

use std::collections::VecDeque;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::messages::described;
use super::parameters::{FieldPath, value};
use super::schemas::Schemas;
use super::well_known::{self, Form};

/// Of one operation. Messages that contain each other can have any number of fields; those that are nested deepest are left
/// out.
const MAX_PARAMETERS: usize = 200;

/// The parameters for the fields of the message, but for those that the path has, and those in the body.
pub(super) fn parameters(
    message: &MessageDescriptor,
    variables: &[Option<FieldPath>],
    is_in_body: impl Fn(&FieldDescriptor) -> bool,
    schemas: &mut Schemas<'_>,
) -> Vec<Value> {
    let fields = fields(message, variables, is_in_body);
    let mut parameters = Vec::new();
    let mut choices: Vec<Choice> = Vec::new();
    for path in fields {
        let is_list = path.last().is_some_and(FieldDescriptor::is_list);
        match Choice::of(&path) {
            None => parameters.push(parameter(&path, schemas)),
            // An object of a query can have no lists.
            Some(_) if is_list => {}
            Some(choice) => match choices.iter_mut().find(|other| other.name == choice.name) {
                Some(other) => other.fields.extend(choice.fields),
                None => choices.push(choice),
            },
        }
    }
    for choice in choices {
        let parameter = choice.parameter(schemas);
        parameters.push(parameter);
    }
    parameters
}

/// The outer ones first.
fn fields(
    message: &MessageDescriptor,
    variables: &[Option<FieldPath>],
    is_in_body: impl Fn(&FieldDescriptor) -> bool,
) -> Vec<FieldPath> {
    let mut fields = Vec::new();
    let mut pending = VecDeque::from([(message.clone(), FieldPath::new())]);
    while let Some((message, outer)) = pending.pop_front() {
        for field in message.fields() {
            let is_covered = outer.is_empty() && is_in_body(&field);
            let path = [&outer[..], std::slice::from_ref(&field)].concat();
            if is_covered || variables.iter().flatten().any(|variable| *variable == path) {
                continue;
            }
            match place(&field, &outer) {
                Place::Nowhere => {}
                Place::Within(message) => pending.push_back((message, path)),
                Place::Here if fields.len() < MAX_PARAMETERS => fields.push(path),
                Place::Here => return fields,
            }
        }
    }
    fields
}

/// Where a query has a field.
enum Place {
    Nowhere,
    Here,
    /// Not itself: the fields of this message.
    Within(MessageDescriptor),
}

fn place(field: &FieldDescriptor, outer: &[FieldDescriptor]) -> Place {
    let Kind::Message(message) = field.kind() else {
        return Place::Here;
    };
    if field.is_map() || field.is_group() {
        return Place::Nowhere;
    }
    match well_known::form(&message) {
        Form::Text => Place::Here,
        Form::Special => Place::Nowhere,
        Form::Object if field.is_list() => Place::Nowhere,
        // A recursive message is named once.
        Form::Object if is_within(&message, field, outer) => Place::Nowhere,
        Form::Object => Place::Within(message),
    }
}

fn is_within(
    message: &MessageDescriptor,
    field: &FieldDescriptor,
    outer: &[FieldDescriptor],
) -> bool {
    let mut messages = outer.iter().chain([field]);
    messages.any(|field| field.parent_message() == message)
}

fn name(path: &[FieldDescriptor]) -> String {
    let names: Vec<_> = path.iter().map(FieldDescriptor::json_name).collect();
    names.join(".")
}

fn parameter(path: &FieldPath, schemas: &mut Schemas<'_>) -> Value {
    let Some(field) = path.last() else {
        return Value::Null;
    };
    let mut schema = value(field, schemas);
    if field.is_list() {
        schema = json!({"type": "array", "items": schema});
    }
    let parameter = json!({"name": name(path), "in": "query", "schema": schema});
    described(parameter, field, schemas.comments)
}

/// The fields of a oneof, as one parameter: an object, of which a query has each property by its own name.
struct Choice {
    /// That of the oneof, which no query contains.
    name: String,
    /// How many fields contain those of the oneof.
    depth: usize,
    fields: Vec<FieldPath>,
}

impl Choice {
    /// That of the outermost oneof.
    fn of(path: &FieldPath) -> Option<Self> {
        let oneofs = path.iter().map(|field| field.containing_oneof());
        let (depth, oneof) = oneofs
            .enumerate()
            .find_map(|(depth, oneof)| Some((depth, oneof.filter(|o| o.fields().len() > 1)?)))?;
        let outer = path[..depth].iter().map(FieldDescriptor::json_name);
        let names: Vec<_> = outer.chain([oneof.name()]).collect();
        Some(Self {
            name: names.join("."),
            depth,
            fields: vec![path.clone()],
        })
    }

    fn parameter(&self, schemas: &mut Schemas<'_>) -> Value {
        let properties = self.fields.iter().map(|path| {
            let schema = match path.last() {
                Some(field) => described(value(field, schemas), field, schemas.comments),
                None => Value::Null,
            };
            (name(path), schema)
        });
        let properties = properties.collect();
        let mut schema = schemas.object(properties);
        if self.fields.iter().all(|path| path.len() == self.depth + 1) {
            schema["maxProperties"] = 1.into();
        } else {
            schema["anyOf"] = self.groups().into();
        }
        json!({
            "name": self.name,
            "in": "query",
            "style": "form",
            "explode": true,
            "description": "Fields that exclude each other.",
            "schema": schema,
        })
    }

    /// For each field of the oneof, the names of those within it: these can be together.
    fn groups(&self) -> Vec<Value> {
        let mut groups: Vec<(&FieldDescriptor, Vec<String>)> = Vec::new();
        for path in &self.fields {
            let field = &path[self.depth];
            match groups.iter_mut().find(|(other, _)| *other == field) {
                Some((_, names)) => names.push(name(path)),
                None => groups.push((field, vec![name(path)])),
            }
        }
        let groups = groups.into_iter();
        groups
            .map(|(_, names)| json!({"propertyNames": {"enum": names}}))
            .collect()
    }
}
