//! REST paths as an OpenAPI 3.1 document: <https://spec.openapis.org/oas/v3.1.1.html>.
//!
//! A schema allows what the mapping of JSON reads, and so more than it writes: null for a field that is not set, integers as
//! numbers and as strings, the numbers of enum values. Its writer is serde_json: the crates of OpenAPI types have no place
//! for several keywords that these schemas need, such as propertyNames and contentEncoding.

mod comments;
mod contents;
mod messages;
mod operation;
mod parameters;
mod paths;
mod query;
mod scalars;
mod schemas;
mod template;
#[cfg(test)]
mod tests;
mod well_known;

use serde_json::json;

use self::comments::Comments;
use self::paths::Paths;
use self::schemas::Schemas;
use crate::json::Unknown;
use crate::rest::Routes;
use crate::schema::Schema;

/// Said once, since it holds for all messages.
const DESCRIPTION: &str = "A field that a response lacks has its default value. A request may name fields as the .proto files \
                           do, too.";

/// The document of the routes, as JSON. `title` and `version` are those of its `info`. The schema is that of the routes, and
/// `unknown` is what they do with fields and names that it does not have.
///
/// Of routes with the same verb whose templates are the same path for OpenAPI, it has the most specific one. It lacks those
/// whose HTTP verb OpenAPI does not have. A route for all HTTP verbs (`*`) is there for DELETE, GET, PATCH, POST and PUT.
///
/// What it says is accepted, with these exceptions: the depth and the length of a request are bounded, an Any has the fields
/// of its type, and the fields of a oneof within a message of a oneof exclude each other in a query, too. It leaves out what
/// OpenAPI cannot say or readers would not look for: the value of `**` can be several segments or none, a query can have
/// lists within a message of a oneof and recursive messages at any depth, and strings can have numbers with an exponent.
#[must_use]
pub fn document(
    schema: &Schema,
    routes: &Routes,
    unknown: Unknown,
    title: &str,
    version: &str,
) -> Vec<u8> {
    let comments = Comments::of(schema.pool());
    let mut schemas = Schemas::new(&comments, unknown);
    let mut paths = Paths::default();
    for route in routes.routes() {
        paths.add(route);
    }
    let (paths, tags) = paths.finish(schema, &mut schemas);
    let error = contents::error(schema, &mut schemas);
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": DESCRIPTION},
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas.finish(), "responses": {contents::ERROR: error}},
    });
    document.to_string().into_bytes()
}
