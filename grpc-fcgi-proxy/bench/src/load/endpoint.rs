//! Where the load goes, and its protocol.

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// gRPC over HTTP/2
    Grpc,
    /// The bare message in the body of an HTTP/1.1 POST
    Http1,
    /// FastCGI, with a new connection for each call
    Fastcgi,
    /// FastCGI, over kept connections
    FastcgiKept,
}

/// The address and the protocol of a server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) protocol: Protocol,
    pub(crate) address: Address,
}
