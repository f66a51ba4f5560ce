//! Which script runs the methods of a service.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use grpc_wire::method::{Method, is_service};

use super::own_params::OwnParams;

/// A PHP script, as php-fpm sees it.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) filename: String,
    pub(super) document_root: String,
    /// Whether its path is resolved for each call.
    resolve: bool,
    pub(super) own: OwnParams,
}

/// All scripts of a proxy have the same parameters, which would take time to compare for each call.
impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.filename == other.filename
            && self.document_root == other.document_root
            && self.resolve == other.resolve
    }
}

impl Eq for Script {}

/// The path of a script cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {filename}: {error}")]
pub(crate) struct Unresolved {
    filename: String,
    #[source]
    error: io::Error,
}

impl Script {
    /// The script at `path`, with its folder as the document root.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let document_root = path.parent().unwrap_or(Path::new("/"));
        Self {
            filename: path.to_string_lossy().into_owned(),
            document_root: document_root.to_string_lossy().into_owned(),
            resolve: false,
            own: OwnParams::default(),
        }
    }

    /// Resolves symbolic links in its path for each call, if `resolve` is true.
    pub(crate) fn resolving(self, resolve: bool) -> Self {
        Self { resolve, ..self }
    }

    /// Gives it FastCGI parameters of the operator's own.
    pub(crate) fn with_params(self, own: OwnParams) -> Self {
        Self { own, ..self }
    }

    /// Its path, as it is configured.
    pub(crate) fn filename(&self) -> &str {
        &self.filename
    }

    /// The script to run now. Its path may lead to another release than it did before.
    pub(crate) fn current(&self) -> Result<Cow<'_, Self>, Unresolved> {
        if !self.resolve {
            return Ok(Cow::Borrowed(self));
        }
        match fs::canonicalize(&self.filename) {
            Ok(path) => Ok(Cow::Owned(Self::new(&path).with_params(self.own.clone()))),
            Err(error) => Err(Unresolved {
                filename: self.filename.clone(),
                error,
            }),
        }
    }
}

/// The services of a route: one by its full name, or all of a package, as in `shop.v1.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServicePattern {
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
            return Err(
                "expected a service, such as shop.v1.Cart, or a package, such as shop.v1.*"
                    .to_owned(),
            );
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

    /// Whether it matches all services that the other one does.
    fn covers(&self, other: &Self) -> bool {
        self.matches(&other.name) && (self.is_prefix || !other.is_prefix)
    }
}

/// Methods: one, as in `shop.v1.Cart/Export`, or all of a service or package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodPattern {
    service: ServicePattern,
    method: Option<String>,
}

impl FromStr for MethodPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || {
            "expected a service, such as shop.v1.Cart, a package, such as shop.v1.*, or a method, such as \
             shop.v1.Cart/Export"
                .to_owned()
        };
        let (service, method) = match text.split_once('/') {
            Some((service, method)) if service.ends_with('*') || method.is_empty() => {
                return Err(invalid());
            }
            Some((_, method)) if method.contains('/') => return Err(invalid()),
            Some((service, method)) => (service, Some(method.to_owned())),
            None => (text, None),
        };
        let service = service.parse().map_err(|_| invalid())?;
        Ok(Self { service, method })
    }
}

impl MethodPattern {
    pub(crate) fn matches(&self, method: &Method<'_>) -> bool {
        let is_method = |own: &String| own == method.name;
        self.service.matches(method.service) && self.method.as_ref().is_none_or(is_method)
    }
}

/// Maps services to scripts.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    entry: Script,
    routes: Vec<(ServicePattern, Script)>,
}

impl Routes {
    /// The first matching route wins; the entry script runs the rest.
    pub(crate) fn new(entry: Script, routes: Vec<(ServicePattern, Script)>) -> Self {
        Self { entry, routes }
    }

    /// All scripts.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &Script> {
        let routes = self.routes.iter().map(|(_, script)| script);
        std::iter::once(&self.entry).chain(routes)
    }

    /// The scripts of which not all calls are excluded, each once.
    pub(crate) fn scripts_without(&self, excluded: &[MethodPattern]) -> Vec<Script> {
        let all = ServicePattern {
            name: String::new(),
            is_prefix: true,
        };
        let routes = self
            .routes
            .iter()
            .map(|(pattern, script)| (pattern, script));
        let mut scripts: Vec<Script> = Vec::new();
        for (pattern, script) in std::iter::once((&all, &self.entry)).chain(routes) {
            let is_excluded = excluded
                .iter()
                .any(|other| other.method.is_none() && other.service.covers(pattern));
            if !is_excluded && !scripts.contains(script) {
                scripts.push(script.clone());
            }
        }
        scripts
    }

    pub(crate) fn script(&self, service: &str) -> &Script {
        let route = self
            .routes
            .iter()
            .find(|(pattern, _)| pattern.matches(service));
        route.map_or(&self.entry, |(_, script)| script)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::binding::own_params::OwnParam;

    #[test]
    fn a_path_is_resolved_for_each_call() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let link = folder.join("current");
        let own = OwnParams::new(vec![OwnParam::additional("A=b").unwrap()]).unwrap();
        let script = Script::new(&link.join("index.php")).with_params(own.clone());
        let resolving = script.clone().resolving(true);
        let error = resolving.current().unwrap_err().to_string();
        assert!(error.contains("current/index.php: No such file"), "{error}");
        for release in ["1", "2"] {
            let root = folder.join(release);
            fs::create_dir(&root).unwrap();
            fs::write(root.join("index.php"), "").unwrap();
            let next = folder.join("next");
            symlink(&root, &next).unwrap();
            fs::rename(&next, &link).unwrap();
            let current = resolving.current().unwrap();
            assert_eq!(*current, Script::new(&root.join("index.php")));
            assert_eq!(current.own, own);
            assert_eq!(current.document_root, root.to_str().unwrap());
            assert_eq!(*script.current().unwrap(), script);
        }
    }

    #[test]
    fn the_first_matching_route_wins() {
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

    #[test]
    fn a_method_pattern_is_of_a_package_a_service_or_a_method() {
        let table = [
            ("a.B", ["/a.B/C", "/a.B/D"].as_slice()),
            ("a.*", &["/a.B/C", "/a.B/D", "/a.E/C"]),
            ("*", &["/a.B/C", "/a.B/D", "/a.E/C", "/f.G/C"]),
            ("a.B/C", &["/a.B/C"]),
        ];
        for (pattern, matching) in table {
            let pattern: MethodPattern = pattern.parse().unwrap();
            let found = ["/a.B/C", "/a.B/D", "/a.E/C", "/f.G/C"]
                .into_iter()
                .filter(|path| pattern.matches(&Method::parse(path).unwrap()));
            assert_eq!(found.collect::<Vec<_>>(), matching);
        }
        for pattern in ["", "a.B/", "a.*/C", "/C", "a.B/C/D", "a..B"] {
            assert!(pattern.parse::<MethodPattern>().is_err(), "{pattern}");
        }
    }

    #[test]
    fn scripts_whose_calls_are_all_excluded_are_left_out() {
        let script = |name: &str| Script::new(Path::new(name));
        let route = |pattern: &str, name| (pattern.parse().unwrap(), script(name));
        let routes = vec![
            route("a.*", "/a.php"),
            route("b.Service", "/b.php"),
            route("c.Service", "/entry.php"),
        ];
        let routes = Routes::new(script("/entry.php"), routes);
        for (excluded, expected) in [
            (vec![], vec!["/entry.php", "/a.php", "/b.php"]),
            (vec!["a.*", "b.Service"], vec!["/entry.php"]),
            (
                vec!["a.Service", "b.Service/M"],
                vec!["/entry.php", "/a.php", "/b.php"],
            ),
            (vec!["b.*", "c.Service"], vec!["/entry.php", "/a.php"]),
            (vec!["*"], vec![]),
        ] {
            let patterns: Vec<MethodPattern> =
                excluded.iter().map(|text| text.parse().unwrap()).collect();
            let expected: Vec<_> = expected.into_iter().map(script).collect();
            assert_eq!(routes.scripts_without(&patterns), expected, "{excluded:?}");
        }
    }
}
