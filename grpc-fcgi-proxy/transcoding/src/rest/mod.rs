//! The HTTP paths of methods, by their `google.api.http` rules, and the messages of the requests to them:
//! <https://github.com/googleapis/googleapis/blob/master/google/api/http.proto>.
//!
//! A request's message is the encoding of its body, then that of its query and of its path: the last value of a field counts.
//! A message that has parts in both is encoded once. Where http.proto leaves a choice, this is what grpc-gateway and Envoy's
//! transcoder do, or, if they differ, what loses nothing of a request.

mod body;
mod escapes;
mod fields;
mod merge;
mod parameters;
mod router;
mod rule;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::body::{RequestPart, ResponsePart};
use self::fields::{FieldPath, Fields};
use self::parameters::Parameters;
use self::router::{Node, Path};
pub use self::rule::RuleError;
pub use self::template::{Segment, Template, Variable};
use crate::json::{ReadError, Unknown, WriteError};
use crate::schema::{MessageId, Schema};

/// The paths of a schema's methods.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    root: Node,
}

/// A rule: an HTTP verb and a path for a method. A method can have several.
#[derive(Debug)]
pub struct Route {
    method: String,
    client_streaming: bool,
    server_streaming: bool,
    verb: String,
    template: Template,
    request: MessageId,
    response: MessageId,
    /// The fields of the template's variables.
    variables: Vec<FieldPath>,
    body: RequestPart,
    response_body: ResponsePart,
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// The rule has none: everything is in the path and the query.
    None,
    /// JSON of the message, or of one of its fields.
    Json,
    /// Any content: a `google.api.HttpBody`.
    Raw,
}

/// What a response's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// JSON of the message, or of one of its fields.
    Json,
    /// Any content: a `google.api.HttpBody`.
    Raw,
}

/// No route is that of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No rule has this path.
    #[error("no method has this path")]
    Path,
    /// Rules have this path, with other verbs.
    #[error("this path has no such HTTP method; use {}", allowed.join(" or "))]
    Verb {
        /// Their verbs.
        allowed: Vec<String>,
    },
    /// The path is no text.
    #[error("the path has a percent sign without two hexadecimal digits, or its text is not UTF-8")]
    Malformed,
}

/// The route of a request, and what its path contains.
#[derive(Clone, Debug)]
pub struct Found {
    route: Arc<Route>,
    /// In the order of the template's variables.
    values: Vec<String>,
}

/// A request is not one of its method. The text repeats a part of the request, of bounded length.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The body is not the JSON of the message or field.
    #[error("the body is malformed: {0}")]
    Body(#[from] ReadError),
    /// The rule has no body.
    #[error("this path takes no body: send the fields as query parameters")]
    NoBody,
    /// A query parameter is refused.
    #[error("the query parameter {name:?} {reason}")]
    Parameter {
        /// The name, or its beginning.
        name: String,
        /// A verb and what follows.
        reason: String,
    },
    /// The value of a variable in the path is refused.
    #[error("in the path, {field} {reason}")]
    Variable {
        /// Its field.
        field: String,
        /// A verb and what follows.
        reason: String,
    },
    /// The query is too long.
    #[error("the query has more than {limit} parameters: send fewer in one request")]
    TooManyParameters {
        /// What is accepted.
        limit: usize,
    },
}

impl Routes {
    /// The rules of all methods, with their additional bindings.
    ///
    /// # Errors
    ///
    /// A rule is malformed or does not fit its message, or two rules have the same verb and path.
    pub fn of(schema: &Schema) -> Result<Self, RuleError> {
        let mut routes = Self::default();
        for route in rule::routes(schema)? {
            let route = Arc::new(route);
            routes.root.insert(&route)?;
            routes.routes.push(route);
        }
        Ok(routes)
    }

    /// Whether no method has a rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All routes, in the order of the descriptor sets.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(AsRef::as_ref)
    }

    /// The route of a request. The path is percent-encoded, without the query.
    ///
    /// Of several, it is the most specific one that has the verb: segment by segment, a literal goes before `*`, and that
    /// before `**`; a template with a `:verb` at its end goes before those without; an HTTP verb before the kind `*`.
    /// An empty segment matches `**` only.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(&self, verb: &str, path: &str) -> Result<Found, NotFound> {
        let (route, segments) = self.root.find(verb, Path::parse(path)?)?;
        let variables = route.template.variables().iter();
        let values = variables
            .map(|variable| variable.value(&segments))
            .collect();
        Ok(Found {
            route: Arc::clone(route),
            values,
        })
    }
}

impl Route {
    /// The path of its gRPC method: `/package.Service/Method`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether a call sends a stream. The rule then has the path and the query for each of its messages.
    #[must_use]
    pub fn client_streaming(&self) -> bool {
        self.client_streaming
    }

    /// Whether a call receives a stream.
    #[must_use]
    pub fn server_streaming(&self) -> bool {
        self.server_streaming
    }

    /// The HTTP method, or `*` for any.
    #[must_use]
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The paths that it has.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What a request's body is.
    #[must_use]
    pub fn request_body(&self) -> RequestBody {
        self.body.kind()
    }

    /// What a response's content is.
    #[must_use]
    pub fn response_body(&self) -> ResponseBody {
        self.response_body.kind()
    }

    /// The field of the request's message that its body is, by its name in JSON; `None` for all of it, and without a body.
    #[must_use]
    pub fn request_body_field<'a>(&self, schema: &'a Schema) -> Option<&'a str> {
        let fields = &schema.message_type(self.request).fields;
        self.body.field().map(|field| &*fields[field].name)
    }

    /// The field of the response's message that its content is, by its name in JSON; `None` for all of it.
    #[must_use]
    pub fn response_body_field<'a>(&self, schema: &'a Schema) -> Option<&'a str> {
        let fields = &schema.message_type(self.response).fields;
        self.response_body.field().map(|field| &*fields[field].name)
    }
}

impl Found {
    /// Its route.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Appends the encoded message of a request; in a stream, of each one of its bodies, with the same path and query.
    /// The schema is that of the routes.
    ///
    /// The body has what the rule says; an empty one is a message without fields, or leaves out a field that is no message.
    /// The query has what is left of the message, but a
    /// variable of the path replaces a parameter for the same field.
    ///
    /// # Errors
    ///
    /// The request is not one of the method. What has been appended is of no use then.
    pub fn request(
        &self,
        schema: &Schema,
        query: Option<&str>,
        content_type: Option<&str>,
        body: &[u8],
        unknown: Unknown,
        out: &mut Vec<u8>,
    ) -> Result<(), RequestError> {
        let route = &*self.route;
        let start = out.len();
        route
            .body
            .read(schema, route.request, content_type, body, unknown, out)?;
        let mut fields = Fields::default();
        let parameters = Parameters {
            schema,
            route,
            unknown,
            has_body: out.len() > start,
        };
        if let Some(query) = query {
            parameters.read(query, &mut fields)?;
        }
        for (path, value) in route.variables.iter().zip(&self.values) {
            parameters.variable(path, value, &mut fields)?;
        }
        if fields.overlap(|index| route.body.covers(index)) {
            let body = out.split_off(start);
            fields.merge(schema, route.request, &body, out);
        } else {
            fields.encode(schema, route.request, out);
        }
        Ok(())
    }

    /// Appends the content of the response that this message is, or that each message of a stream is. The result is its
    /// content type if that is not JSON; it comes from the script, unchecked.
    ///
    /// # Errors
    ///
    /// The message is malformed, or has no JSON.
    pub fn response(
        &self,
        schema: &Schema,
        message: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, WriteError> {
        let route = &*self.route;
        route
            .response_body
            .write(schema, route.response, message, out)
    }
}
