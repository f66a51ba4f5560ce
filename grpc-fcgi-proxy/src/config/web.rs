//! The flags of gRPC-Web.

use std::str::FromStr;

use clap::Args;
use http::HeaderValue;
use http::uri::Authority;

/// gRPC-Web.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct WebFlags {
    /// Serve gRPC-Web as well, binary and text, over HTTP/1.1 and HTTP/2
    #[arg(long)]
    pub(crate) grpc_web: bool,

    /// Origin whose pages may call by gRPC-Web, such as `https://shop.example`, or * for any origin [default: only the
    /// proxy's own]. Repeatable, or separated by commas
    #[arg(
        long,
        value_name = "ORIGIN",
        value_delimiter = ',',
        requires = "grpc_web"
    )]
    pub(crate) grpc_web_origin: Vec<Origin>,
}

/// The origin of a page, as a browser sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) HeaderValue);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .and_then(|host| host.parse::<Authority>().ok())
            .filter(|host| !host.as_str().contains('@'));
        match HeaderValue::from_str(&text) {
            Ok(value) if text == "*" || host.is_some() => Ok(Self(value)),
            _ => Err("expected an origin such as `https://shop.example`, or *".to_owned()),
        }
    }
}
