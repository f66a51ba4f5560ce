//! Rules, and requests to them.

mod bodies;
mod hostile;
mod merge;
mod paths;
mod random;
mod requests;
mod responses;
mod rules;

use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use super::{Found, NotFound, RequestError, Routes, RuleError};
use crate::json::Unknown;
use crate::schema::Schema;

/// A schema with rules.
struct Library {
    schema: Schema,
    routes: Routes,
}

/// A file of a test.
struct Source(String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name != "test.proto" {
            return Err(protox::Error::file_not_found(name));
        }
        File::from_source(name, &self.0)
    }
}

fn schema(source: String) -> Schema {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source(source));
    resolver.add(GoogleFileResolver::new());
    for folder in ["src/rest/tests", "src/json/tests", "../../proto"] {
        resolver.add(IncludeFileResolver::new(folder.into()));
    }
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file("test.proto").unwrap();
    Schema::read([compiler.encode_file_descriptor_set().as_slice()]).unwrap()
}

/// The routes of a service with these methods.
fn routes(methods: &str) -> Result<Library, RuleError> {
    let schema = schema(format!(
        r#"
        syntax = "proto3";
        package test.rest;
        import "all.proto";
        import "google/api/annotations.proto";
        import "google/api/httpbody.proto";
        import "messages.proto";
        service Library {{ {methods} }}
        "#
    ));
    let routes = Routes::of(&schema)?;
    Ok(Library { schema, routes })
}

/// A method of the message test.All, and its rule.
fn method(name: &str, rule: &str) -> String {
    method_of(name, "test.All", "test.All", rule)
}

fn method_of(name: &str, request: &str, response: &str, rule: &str) -> String {
    format!(
        "rpc {name}({request}) returns ({response}) {{ option (google.api.http) = {{ {rule} }}; }}\n"
    )
}

fn library(methods: &str) -> Library {
    routes(methods).unwrap_or_else(|error| panic!("{error}"))
}

impl Library {
    fn find(&self, verb: &str, path: &str) -> Result<Found, NotFound> {
        self.routes.find(verb, path)
    }

    /// The name of the method, and the values of the path.
    fn route(&self, verb: &str, path: &str) -> Result<(String, Vec<String>), NotFound> {
        let found = self.find(verb, path)?;
        let name = found
            .route()
            .method()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        Ok((name, found.values))
    }

    fn bytes(
        &self,
        verb: &str,
        target: &str,
        body: &str,
        unknown: Unknown,
    ) -> Result<Vec<u8>, RequestError> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let found = self.find(verb, path).unwrap();
        let mut bytes = Vec::new();
        let body = body.as_bytes();
        found.request(
            &self.schema,
            query,
            Some("text/x"),
            body,
            unknown,
            &mut bytes,
        )?;
        Ok(bytes)
    }

    /// The request's message as JSON.
    fn request(&self, verb: &str, target: &str, body: &str) -> String {
        let bytes = self.bytes(verb, target, body, Unknown::Refuse);
        self.json(
            verb,
            target,
            &bytes.unwrap_or_else(|error| panic!("{target}: {error}")),
        )
    }

    fn json(&self, verb: &str, target: &str, bytes: &[u8]) -> String {
        let path = target.split('?').next().unwrap();
        let request = self.find(verb, path).unwrap().route().request;
        let mut json = Vec::new();
        self.schema.write_json(request, bytes, &mut json).unwrap();
        String::from_utf8(json).unwrap()
    }

    fn error(&self, verb: &str, target: &str, body: &str) -> String {
        let bytes = self.bytes(verb, target, body, Unknown::Refuse);
        bytes.expect_err(target).to_string()
    }
}
