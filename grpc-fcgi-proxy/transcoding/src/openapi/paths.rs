//! paths: the operations of each path.

use std::collections::{BTreeMap, HashSet};
use std::iter;

use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use serde_json::{Map, Value, json};

use super::messages::annotated;
use super::operation;
use super::schemas::Schemas;
use super::template::Path;
use crate::rest::Route;
use crate::schema::Schema;

/// The HTTP verbs that a path of OpenAPI can have.
const VERBS: [&str; 8] = [
    "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];
/// Those of a route for all verbs: not those that HTTP gives a meaning of its own.
const COMMON: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

/// The routes of each path and verb.
#[derive(Default)]
pub(super) struct Paths<'a> {
    /// By their shapes.
    paths: BTreeMap<String, PathItem<'a>>,
    count: usize,
}

struct PathItem<'a> {
    /// Of its parameters.
    names: Vec<String>,
    text: String,
    operations: BTreeMap<&'static str, Operation<'a>>,
}

pub(super) struct Operation<'a> {
    pub(super) route: &'a Route,
    pub(super) path: Path,
    order: usize,
}

impl<'a> Paths<'a> {
    pub(super) fn add(&mut self, route: &'a Route) {
        let is_common = |verb: &&str| route.verb() == "*" && COMMON.contains(verb);
        self.count += 1;
        for verb in VERBS {
            if verb == route.verb() || is_common(&verb) {
                self.add_operation(verb, route);
            }
        }
    }

    fn add_operation(&mut self, verb: &'static str, route: &'a Route) {
        let mut path = Path::of(route.template());
        let item = self.paths.entry(path.shape()).or_insert_with(|| PathItem {
            names: path.parameters.iter().map(|p| p.name.clone()).collect(),
            text: path.text(),
            operations: BTreeMap::new(),
        });
        path.rename(&item.names);
        let operation = Operation {
            route,
            path,
            order: self.count,
        };
        match item.operations.get(verb) {
            Some(other) if other.generality() <= operation.generality() => {}
            _ => {
                item.operations.insert(verb, operation);
            }
        }
    }

    /// The paths, and the tags of their operations.
    pub(super) fn finish(self, schema: &Schema, schemas: &mut Schemas<'_>) -> (Value, Vec<Value>) {
        let mut paths = Map::new();
        let mut operations = Vec::new();
        for item in self.paths.into_values() {
            paths.insert(item.text.clone(), json!({}));
            for (verb, operation) in item.operations {
                operations.push((item.text.clone(), verb, operation));
            }
        }
        // The names of the operations depend on their order in the .proto files only.
        operations.sort_by_key(|(_, verb, operation)| (operation.order, *verb));
        let mut names = HashSet::new();
        let mut services: Vec<ServiceDescriptor> = Vec::new();
        for (path, verb, operation) in operations {
            let Some(method) = method(schema, operation.route) else {
                continue;
            };
            let service = method.parent_service().clone();
            let mut described = operation::describe(schema, &method, &operation, schemas);
            described["operationId"] = name(schema, &method, &mut names).into();
            described["tags"] = json!([service.full_name()]);
            paths[&path][verb.to_ascii_lowercase()] = described;
            if !services.contains(&service) {
                services.push(service);
            }
        }
        let tags = services.iter().map(|service| tag(service, schemas));
        (paths.into(), tags.collect())
    }
}

impl Operation<'_> {
    /// Of two routes for a request, the one is used for which this is less.
    fn generality(&self) -> (bool, bool) {
        let has_rest = self.path.parameters.iter().any(|p| p.is_rest);
        (has_rest, self.route.verb() == "*")
    }
}

fn method(schema: &Schema, route: &Route) -> Option<MethodDescriptor> {
    let (service, name) = route.method().strip_prefix('/')?.split_once('/')?;
    let service = schema.pool().get_service_by_name(service)?;
    let mut methods = service.methods();
    methods.find(|method| method.name() == name)
}

/// A name that no other operation has: with the package if another service has the same name.
fn name(schema: &Schema, method: &MethodDescriptor, names: &mut HashSet<String>) -> String {
    let service = method.parent_service();
    let namesakes = schema.pool().services();
    let is_unique = namesakes
        .filter(|other| other.name() == service.name())
        .count()
        == 1;
    let service = if is_unique {
        service.name().to_owned()
    } else {
        service.full_name().replace('.', "_")
    };
    let first = format!("{service}_{}", method.name());
    let numbered = (2_u32..).map(|number| format!("{first}_{number}"));
    let mut candidates = iter::once(first.clone()).chain(numbered);
    candidates
        .find(|name| names.insert(name.clone()))
        .unwrap_or(first.clone())
}

fn tag(service: &ServiceDescriptor, schemas: &Schemas<'_>) -> Value {
    let comment = schemas.comments.get(&service.parent_file(), service.path());
    let tag = json!({"name": service.full_name()});
    annotated(tag, comment, false)
}
