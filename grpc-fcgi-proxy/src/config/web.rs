//! The flags of the protocols besides gRPC.

use std::str::FromStr;

use clap::{ArgGroup, Args, ValueEnum};
use http::HeaderValue;
use http::uri::Authority;

/// The protocols besides gRPC.
#[derive(Args, Clone, Debug, Default)]
#[command(group = ArgGroup::new("web").args(["grpc_web", "connect", "rest"]).multiple(true))]
pub(crate) struct WebFlags {
    /// Serve gRPC-Web as well, binary and text, over HTTP/1.1 and HTTP/2
    #[arg(long)]
    pub(crate) grpc_web: bool,

    /// Serve the Connect protocol as well, over HTTP/1.1 and HTTP/2. JSON, and calls by GET, need the method in a
    /// --descriptor-set
    #[arg(long)]
    pub(crate) connect: bool,

    /// Serve the paths of the google.api.http rules in the --descriptor-sets as well, with JSON, over HTTP/1.1 and HTTP/2
    #[arg(long)]
    pub(crate) rest: bool,

    /// Serve GET /openapi.json, which describes the paths of --rest (OpenAPI 3.1)
    #[arg(long, requires = "rest")]
    pub(crate) openapi: bool,

    /// Origin whose pages may call by gRPC-Web, Connect and REST, such as `https://shop.example`, or * for any origin [default:
    /// only the proxy's own]. Repeatable, or separated by commas
    #[arg(
        long,
        visible_alias = "grpc-web-origin",
        value_name = "ORIGIN",
        value_delimiter = ',',
        requires = "web"
    )]
    pub(crate) allow_origin: Vec<Origin>,

    /// What becomes of fields, and names of enum values, in a client's JSON that its --descriptor-set does not have [default:
    /// refuse]
    #[arg(long, requires = "descriptor_set")]
    pub(crate) json_unknown_fields: Option<UnknownFields>,
}

/// What becomes of fields in a client's JSON that the message does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnknownFields {
    /// The call fails with INVALID_ARGUMENT, whose message names the field
    #[default]
    Refuse,
    /// The script does not see them, as in messages of a newer schema
    Drop,
}

impl WebFlags {
    /// Whether anything but gRPC over HTTP/2 is served.
    pub(crate) fn any(&self) -> bool {
        self.grpc_web || self.connect || self.rest
    }

    /// The flag that nothing can be served for without the messages of the descriptor sets.
    pub(crate) fn needs_schema(&self) -> Option<&'static str> {
        if self.rest {
            return Some("--rest");
        }
        if self.connect {
            return Some("--connect");
        }
        self.json_unknown_fields.map(|_| "--json-unknown-fields")
    }
}

/// The origin of a page, as a browser sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) HeaderValue);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let is_origin = match text.split_once("://") {
            Some(("https", host)) => is_host(host, 443),
            Some(("http", host)) => is_host(host, 80),
            _ => text == "*",
        };
        match HeaderValue::from_str(&text) {
            Ok(value) if is_origin => Ok(Self(value)),
            _ => Err(
                "expected an origin as browsers send it, such as `https://shop.example`, without a path and without the \
                 scheme's own port, or * alone"
                    .to_owned(),
            ),
        }
    }
}

/// Whether it is a host with or without a port. Browsers leave out the one that the scheme has by default.
fn is_host(text: &str, default_port: u16) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let whole = match authority.port_u16() {
        Some(port) if port != default_port => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    !host.is_empty() && !host.contains('*') && whole == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_that_browsers_send() {
        for origin in [
            "*",
            "https://shop.example",
            "http://127.0.0.1:8000",
            "http://[::1]:443",
            "https://a:80",
        ] {
            assert!(origin.parse::<Origin>().is_ok(), "{origin}");
        }
        for other in [
            "https://*",
            "https://*.shop.example",
            "https://a:443",
            "http://a:80",
            "https://a:99999",
            "https://a:",
            "https://b@a",
            "https://a/",
            "https://",
            "ftp://a",
            "null",
        ] {
            assert!(other.parse::<Origin>().is_err(), "{other}");
        }
    }
}
