//! The method that a path names, and its kind of call.
//!
//! PROTOCOL-HTTP2: `Path → ":path" "/" Service-Name "/" {method name}`, case-sensitive.

/// The longest path of a method, in bytes.
const MAX_PATH_LENGTH: usize = 1024;

/// The method that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method<'a> {
    /// The whole path.
    pub path: &'a str,
    /// The service with its package.
    pub service: &'a str,
    /// The name of the method within its service.
    pub name: &'a str,
}

/// A path that names no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path is not /SERVICE/METHOD")]
pub struct NoMethod;

impl<'a> Method<'a> {
    /// Parses a path. Only names that a `.proto` file can declare pass, so that nothing else reaches a log, a metric label
    /// or a script.
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

/// Whether this is the full name of a service: identifiers, joined by dots.
#[must_use]
pub fn is_service(text: &str) -> bool {
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
    /// One request, one response.
    #[default]
    Unary,
    /// Any number of requests, one response.
    ClientStream,
    /// One request, any number of responses.
    ServerStream,
    /// Any number of both.
    BidiStream,
}

impl CallKind {
    /// The name in metrics and for PHP.
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

#[cfg(test)]
mod tests {
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
    fn other_paths_name_no_method() {
        let long = format!("/a.B/{}", "C".repeat(MAX_PATH_LENGTH));
        for path in [
            "", "/", "/a", "//", "/a/", "//b", "a/b", "/a/b/c", "/a..b/c", "/a/b?c", "/a%0a/b",
            &long,
        ] {
            assert_eq!(Method::parse(path), Err(NoMethod), "{path}");
        }
    }
}
