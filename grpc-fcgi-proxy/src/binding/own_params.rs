//! FastCGI parameters of the operator's own, `--param` and `--param-override`: the same for every script.

use std::env::{self, VarError};
use std::fmt;
use std::sync::Arc;

use super::sink::Sink;

/// All names and values together. Each call by itself carries them.
const MAX_SIZE: usize = 32 * 1024;

/// What the proxy sets, apart from the names that begin with `GRPC_`, `HTTP_` or `SSL_CLIENT_`.
const SET_BY_PROXY: [&str; 20] = [
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "DOCUMENT_ROOT",
    "DOCUMENT_URI",
    "GATEWAY_INTERFACE",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "FCGI_ROLE",
    "HTTPS",
    "SSL_PROTOCOL",
];

/// What php-fpm takes for settings of PHP.
const SETTINGS: [&str; 2] = ["PHP_VALUE", "PHP_ADMIN_VALUE"];

/// Without these as they are, no call works.
const CARRIERS: [&str; 8] = [
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "FCGI_ROLE",
    "QUERY_STRING",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
];

/// A parameter. Its value may be a secret, so it is never logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OwnParam {
    name: String,
    value: String,
}

impl fmt::Debug for OwnParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=...", self.name)
    }
}

impl OwnParam {
    /// Reads `NAME=VALUE`, or `NAME` for the environment variable of that name, where no other variable is meant.
    pub(crate) fn additional(text: &str) -> Result<Self, String> {
        let param = Self::read(text)?;
        match is_reserved(&param.name) {
            false => Ok(param),
            true if is_carrier(&param.name) => Err(carries(&param.name)),
            true => Err(format!(
                "{name} is a variable of the proxy or a setting of PHP: use --param-override {name}=VALUE to replace it",
                name = param.name
            )),
        }
    }

    /// The same for a variable that `additional` refuses.
    pub(crate) fn overriding(text: &str) -> Result<Self, String> {
        let param = Self::read(text)?;
        match is_reserved(&param.name) {
            true if is_carrier(&param.name) => Err(carries(&param.name)),
            true => Ok(param),
            false => Err(format!(
                "{name} is neither a variable of the proxy nor a setting of PHP: use --param {name}=VALUE",
                name = param.name
            )),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if !is_name(name) {
            return Err(
                "expected NAME=VALUE, such as APP_ENV=production, or NAME for the value of an environment variable; \
                 NAME consists of letters, digits and _"
                    .to_owned(),
            );
        }
        let value = match value {
            Some(value) => value.to_owned(),
            None => env::var(name).map_err(|error| match error {
                VarError::NotPresent => format!(
                    "the environment variable {name} is not set: set it, or use {name}=VALUE"
                ),
                VarError::NotUnicode(_) => {
                    format!("the environment variable {name} is not UTF-8")
                }
            })?,
        };
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

fn carries(name: &str) -> String {
    format!("{name} cannot be replaced: no call would work with another")
}

fn is_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(of_name)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}

fn is_reserved(name: &str) -> bool {
    let prefixes = ["GRPC_", "HTTP_", "SSL_CLIENT_"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || SET_BY_PROXY.contains(&name)
        || SETTINGS.contains(&name)
}

fn is_carrier(name: &str) -> bool {
    name.starts_with("GRPC_") || CARRIERS.contains(&name)
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnParams(Arc<[OwnParam]>);

impl OwnParams {
    /// Fails if they are too large, or a name occurs twice.
    pub(crate) fn new(params: Vec<OwnParam>) -> Result<Self, String> {
        let size: usize = params
            .iter()
            .map(|param| param.name.len() + param.value.len())
            .sum();
        if size > MAX_SIZE {
            return Err(format!(
                "the names and values of --param and --param-override have {size} bytes, which is more than {MAX_SIZE}: \
                 put large values into a file, and its path into a parameter"
            ));
        }
        for (index, param) in params.iter().enumerate() {
            if params[..index].iter().any(|other| other.name == param.name) {
                return Err(format!("--param {} is set twice: remove one", param.name));
            }
        }
        Ok(Self(params.into()))
    }

    /// Behind all others: of several variables of one name, php-fpm takes the last.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.0
            .iter()
            .try_for_each(|param| sink.push(param.name.as_bytes(), param.value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_param_is_never_a_variable_of_the_proxy_unless_it_says_so() {
        for name in [
            "PHP_VALUE",
            "PHP_ADMIN_VALUE",
            "HTTP_X_A",
            "HTTP_PROXY",
            "SERVER_NAME",
            "HTTPS",
            "SSL_PROTOCOL",
            "SSL_CLIENT_S_DN",
        ] {
            let text = format!("{name}=a=b");
            let error = OwnParam::additional(&text).unwrap_err();
            assert!(
                error.contains(&format!("--param-override {name}=VALUE")),
                "{error}"
            );
            let param = OwnParam::overriding(&text).unwrap();
            assert_eq!((param.name.as_str(), param.value.as_str()), (name, "a=b"));
        }
        let error = OwnParam::overriding("APP_ENV=test").unwrap_err();
        assert!(error.contains("use --param APP_ENV=VALUE"), "{error}");
    }

    #[test]
    fn what_carries_a_call_cannot_be_replaced() {
        for name in [
            "SCRIPT_FILENAME",
            "CONTENT_LENGTH",
            "GRPC_METADATA",
            "GRPC_NEW",
        ] {
            for read in [OwnParam::additional, OwnParam::overriding] {
                let error = read(&format!("{name}=a")).unwrap_err();
                assert!(error.contains("cannot be replaced"), "{error}");
            }
        }
    }

    #[test]
    fn a_value_may_be_that_of_an_environment_variable() {
        let path = env::var("PATH").unwrap();
        assert_eq!(OwnParam::additional("PATH").unwrap().value, path);
        assert_eq!(OwnParam::additional("PATH=").unwrap().value, "");
        let error = OwnParam::additional("NOT_SET_ANYWHERE").unwrap_err();
        assert!(error.contains("NOT_SET_ANYWHERE is not set"), "{error}");
        for wrong in ["", "=a", "a-b=c", "1a=b", "a.b=c", "ä=b", "a b"] {
            let error = OwnParam::additional(wrong).unwrap_err();
            assert!(error.contains("expected NAME=VALUE"), "{wrong}: {error}");
        }
    }

    #[test]
    fn all_together_are_bounded_and_each_name_occurs_once() {
        let param = |text: &str| OwnParam::additional(text).unwrap();
        let large = "x".repeat(MAX_SIZE - 1);
        assert!(OwnParams::new(vec![param(&format!("A={large}"))]).is_ok());
        let error = OwnParams::new(vec![param(&format!("A={large}")), param("B=")]).unwrap_err();
        assert!(
            error.contains("32769 bytes, which is more than 32768"),
            "{error}"
        );
        let error = OwnParams::new(vec![param("A=1"), param("A=2")]).unwrap_err();
        assert!(error.contains("--param A is set twice"), "{error}");
    }

    #[test]
    fn no_value_is_in_a_debug_output() {
        assert_eq!(
            format!("{:?}", OwnParam::additional("KEY=secret").unwrap()),
            "KEY=..."
        );
    }

    #[test]
    fn every_variable_of_the_proxy_is_reserved() {
        for name in crate::binding::variables::tests::all_names() {
            assert!(is_reserved(&name), "{name}");
        }
    }
}
