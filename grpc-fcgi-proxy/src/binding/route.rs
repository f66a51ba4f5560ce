//! Which method a request calls, what kind of call that is, and which script runs it.
//!
//! PROTOCOL-HTTP2: `Path → ":path" "/" Service-Name "/" {method name}`, case-sensitive.

use std::collections::HashMap;
use std::str::FromStr;

use prost_types::{FileDescriptorSet, MethodDescriptorProto};

use crate::binding::variables::Script;

/// A longer path is no method's.
const MAX_PATH_LENGTH: usize = 1024;

/// The method that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method<'a> {
    /// The whole path.
    pub path: &'a str,
    /// The service with its package.
    pub service: &'a str,
    /// The method's own name.
    pub name: &'a str,
}

/// A path that names no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path is not /SERVICE/METHOD")]
pub struct NoMethod;

impl<'a> Method<'a> {
    /// Reads a path. Only what a `.proto` file can declare passes, so that nothing else comes into a log, a metric
    /// label or a script.
    ///
    /// # Errors
    ///
    /// If the path names no method.
    pub fn parse(path: &'a str) -> Result<Self, NoMethod> {
        let (service, name) = path
            .strip_prefix('/')
            .and_then(|rest| rest.split_once('/'))
            .ok_or(NoMethod)?;
        let valid =
            path.len() <= MAX_PATH_LENGTH && service.split('.').chain([name]).all(is_identifier);
        if valid {
            Ok(Self {
                path,
                service,
                name,
            })
        } else {
            Err(NoMethod)
        }
    }
}

fn is_service(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// How many messages each side sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// One, and one.
    #[default]
    Unary,
    /// Any number, and one.
    ClientStream,
    /// One, and any number.
    ServerStream,
    /// Any number both ways.
    BidiStream,
}

impl CallKind {
    /// Its name, as in metrics and for PHP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ClientStream => "client_stream",
            Self::ServerStream => "server_stream",
            Self::BidiStream => "bidi_stream",
        }
    }
}

/// What kind each method is, as descriptor sets have it.
#[derive(Clone, Debug, Default)]
pub struct MethodKinds {
    by_path: HashMap<String, CallKind>,
}

impl MethodKinds {
    /// Adds the methods of a set.
    pub fn add(&mut self, set: &FileDescriptorSet) {
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let package = file.package();
                    let dot = if package.is_empty() { "" } else { "." };
                    let path = format!("/{package}{dot}{}/{}", service.name(), method.name());
                    self.by_path.insert(path, kind(method));
                }
            }
        }
    }

    /// The kind of the method at `path`; one that is in no descriptor set is unary.
    #[must_use]
    pub fn of(&self, path: &str) -> CallKind {
        self.by_path.get(path).copied().unwrap_or_default()
    }
}

fn kind(method: &MethodDescriptorProto) -> CallKind {
    match (method.client_streaming(), method.server_streaming()) {
        (false, false) => CallKind::Unary,
        (true, false) => CallKind::ClientStream,
        (false, true) => CallKind::ServerStream,
        (true, true) => CallKind::BidiStream,
    }
}

/// Which services a route is for: one by its full name, or all whose names begin so, as in `shop.v1.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePattern {
    name: String,
    is_prefix: bool,
}

impl FromStr for ServicePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = text.strip_suffix('*');
        let name = prefix.unwrap_or(text);
        let valid = match prefix {
            Some("") => true,
            Some(prefix) => prefix.strip_suffix('.').is_some_and(is_service),
            None => is_service(name),
        };
        if !valid {
            return Err("a route is for a service, such as shop.v1.Cart, or for a package, such as shop.v1.*".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            is_prefix: prefix.is_some(),
        })
    }
}

impl ServicePattern {
    fn matches(&self, service: &str) -> bool {
        if self.is_prefix {
            service.starts_with(&self.name)
        } else {
            service == self.name
        }
    }
}

/// Which script runs the methods of a service.
#[derive(Clone, Debug)]
pub struct Routes {
    entry: Script,
    routes: Vec<(ServicePattern, Script)>,
}

impl Routes {
    /// The first route that matches wins; the entry script has the rest.
    #[must_use]
    pub fn new(entry: Script, routes: Vec<(ServicePattern, Script)>) -> Self {
        Self { entry, routes }
    }

    /// The script for a service.
    #[must_use]
    pub fn script(&self, service: &str) -> &Script {
        let route = self
            .routes
            .iter()
            .find(|(pattern, _)| pattern.matches(service));
        route.map_or(&self.entry, |(_, script)| script)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_names_a_service_and_a_method() {
        let path = "/item.v1.ItemService/GetItem";
        let method = Method {
            path,
            service: "item.v1.ItemService",
            name: "GetItem",
        };
        assert_eq!(Method::parse(path), Ok(method));
        assert_eq!(
            Method::parse("/Bare/Call").map(|method| method.service),
            Ok("Bare")
        );
    }

    #[test]
    fn anything_else_names_none() {
        let long = format!("/a.B/{}", "C".repeat(MAX_PATH_LENGTH));
        for path in [
            "", "/", "/a", "//", "/a/", "//b", "a/b", "/a/b/c", "/a..b/c", "/a/b?c", "/a%0a/b",
            &long,
        ] {
            assert_eq!(Method::parse(path), Err(NoMethod), "{path}");
        }
    }

    #[test]
    fn the_first_route_that_matches_has_the_service() {
        let script = |path: &str| Script::new(Path::new(path));
        let route = |pattern: &str, path| (pattern.parse().unwrap(), script(path));
        let routes = Routes::new(
            script("/app/index.php"),
            vec![
                route("shop.v1.Cart", "/cart.php"),
                route("shop.v1.*", "/shop.php"),
                route("shop.*", "/any.php"),
            ],
        );
        let table = [
            ("shop.v1.Cart", "/cart.php"),
            ("shop.v1.Till", "/shop.php"),
            ("shop.v1.sub.Till", "/shop.php"),
            ("shop.v2.Till", "/any.php"),
            ("shopping.v1.Cart", "/app/index.php"),
        ];
        for (service, path) in table {
            assert_eq!(routes.script(service), &script(path), "{service}");
        }
        for wrong in ["", ".*", "shop*", "shop.*.Cart", "a/b", "shop.v1.", "**"] {
            assert!(wrong.parse::<ServicePattern>().is_err(), "{wrong}");
        }
        assert!(
            "*".parse::<ServicePattern>()
                .unwrap()
                .matches("anything.At.all")
        );
    }
}
