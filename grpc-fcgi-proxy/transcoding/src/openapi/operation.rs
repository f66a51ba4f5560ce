//! An operation: a method by one of its routes.

use prost_reflect::MethodDescriptor;
use serde_json::{Value, json};

use super::messages::annotated;
use super::parameters::{self, FieldPath};
use super::paths::Operation;
use super::schemas::Schemas;
use super::{contents, query};
use crate::rest::RequestBody;
use crate::schema::Schema;

/// Without its name and its tag.
pub(super) fn describe(
    schema: &Schema,
    method: &MethodDescriptor,
    operation: &Operation<'_>,
    schemas: &mut Schemas<'_>,
) -> Value {
    let route = operation.route;
    let message = method.input();
    let variables = route.template().variables().iter();
    let variables: Vec<Option<FieldPath>> = variables
        .map(|variable| parameters::resolve(&message, &variable.field))
        .collect();
    let mut all = parameters::of_path(operation, &variables, schemas);
    let body_field = route.request_body_field(schema);
    let has_body = route.request_body() != RequestBody::None;
    let fields = query::parameters(
        &message,
        &variables,
        |field| has_body && body_field.is_none_or(|name| field.json_name() == name),
        schemas,
    );
    all.extend(fields);
    let mut described = json!({
        "parameters": all,
        "responses": contents::responses(schema, route, method, schemas),
    });
    if let Some(body) = contents::request(schema, route, method, &variables, schemas) {
        described["requestBody"] = body;
    }
    let comment = schemas.comments.get(&method.parent_file(), method.path());
    let options = method.method_descriptor_proto().options.as_ref();
    let deprecated = options.is_some_and(|options| options.deprecated());
    annotated(described, comment, deprecated)
}
