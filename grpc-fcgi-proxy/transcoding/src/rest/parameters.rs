//! The parameters of a query, and the variables of a path.

use std::borrow::Cow;

use super::fields::{FieldPath, Fields, Unresolved};
use super::{RequestError, Route, escapes};
use crate::json::{Unknown, read_text, shorten};
use crate::schema::Schema;

/// Each is worth a few bytes of a message, and its depth is bounded, so a query costs little more than its length.
const MAX_PARAMETERS: usize = 10_000;

/// Reads them for a route.
#[derive(Clone, Copy)]
pub(super) struct Parameters<'a> {
    pub(super) schema: &'a Schema,
    pub(super) route: &'a Route,
    pub(super) unknown: Unknown,
    /// Whether the body has set a field.
    pub(super) has_body: bool,
}

impl Parameters<'_> {
    /// Adds the parameters of a query.
    pub(super) fn read(self, query: &str, fields: &mut Fields) -> Result<(), RequestError> {
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
        for (count, parameter) in parameters.enumerate() {
            if count == MAX_PARAMETERS {
                return Err(RequestError::TooManyParameters {
                    limit: MAX_PARAMETERS,
                });
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode(name, name)?;
            let value = decode(&name, value)?;
            self.parameter(&name, &value, fields)
                .map_err(|reason| refused(&name, &reason))?;
        }
        Ok(())
    }

    fn parameter(self, name: &str, value: &str, fields: &mut Fields) -> Result<(), String> {
        let Self {
            schema,
            route,
            unknown,
            has_body,
        } = self;
        let path = match FieldPath::resolve(schema, route.request, name) {
            Ok(path) => path,
            Err(Unresolved::Unknown) if unknown == Unknown::Drop => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        if route.variables.contains(&path) {
            return Ok(());
        }
        if let Some(first) = path.first() {
            if route.body.covers(first) {
                return Err("is part of the body: send it there".to_owned());
            }
            if has_body && route.body.excludes(schema, route.request, first) {
                return Err("and the body exclude each other: send one of them".to_owned());
            }
        }
        match self.value(&path, value, unknown)? {
            None => Ok(()),
            Some(encoded) => fields
                .add(schema, route.request, &path, &encoded)
                .map_err(|error| error.to_string()),
        }
    }

    /// Puts the value of a path's variable in the place of what the query has.
    pub(super) fn variable(
        self,
        path: &FieldPath,
        value: &str,
        fields: &mut Fields,
    ) -> Result<(), RequestError> {
        let Self { schema, route, .. } = self;
        let field = || path.last(schema, route.request).map(|field| &*field.name);
        let variable = |reason: String| RequestError::Variable {
            field: field().unwrap_or_default().to_owned(),
            reason,
        };
        // What is dropped leaves a field out, but a path without a part of it is another one.
        match self.value(path, value, Unknown::Refuse).map_err(variable)? {
            None => Ok(()),
            Some(encoded) => fields
                .replace(schema, route.request, path, &encoded)
                .map_err(|error| variable(error.to_string())),
        }
    }

    /// The encoded value with its key; `None` if it is dropped.
    fn value(
        self,
        path: &FieldPath,
        value: &str,
        unknown: Unknown,
    ) -> Result<Option<Vec<u8>>, String> {
        let mut encoded = Vec::new();
        let Some(field) = path.last(self.schema, self.route.request) else {
            return Ok(None);
        };
        match read_text(self.schema, field, value, unknown, &mut encoded) {
            Ok(has_value) => Ok(has_value.then_some(encoded)),
            Err(error) => Err(format!(
                "has a malformed value: {}",
                shorten(&error.to_string())
            )),
        }
    }
}

fn decode<'a>(name: &str, text: &'a str) -> Result<Cow<'a, str>, RequestError> {
    escapes::decode_form(text).ok_or_else(|| {
        let reason = "has a percent sign without two hexadecimal digits, or is not UTF-8";
        refused(name, reason)
    })
}

fn refused(name: &str, reason: &str) -> RequestError {
    RequestError::Parameter {
        name: shorten(name),
        reason: reason.to_owned(),
    }
}
