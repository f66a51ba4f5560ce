//! Where the load goes, and its protocol.

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use http::HeaderValue;

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// gRPC over HTTP/2
    Grpc,
    /// The bare message in the body of an HTTP/2 POST, as Connect has it
    Connect,
    /// The same with JSON
    Json,
    /// JSON in the body of an HTTP/1.1 POST
    JsonHttp1,
    /// The bare message in the body of an HTTP/1.1 POST
    Http1,
    /// FastCGI, with a new connection for each call
    Fastcgi,
    /// FastCGI, over kept connections
    FastcgiKept,
}

impl Protocol {
    /// Whether its messages are JSON.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonHttp1)
    }

    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Connect => "application/proto",
            Self::Json | Self::JsonHttp1 => "application/json",
            _ => "application/grpc",
        })
    }
}

/// The address and the protocol of a server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) protocol: Protocol,
    pub(crate) address: Address,
}
