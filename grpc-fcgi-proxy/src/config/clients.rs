//! What clients may take up: connections, calls, and time.

use std::time::Duration;

use clap::{Args, value_parser};

use super::values::{count, period};

/// Bounds on connections have the names and the meanings that gRPC gives them: gRFC A9, and keepalive.md.
#[derive(Args, Clone, Copy, Debug)]
pub struct ClientFlags {
    /// Connections at once; one more is closed as soon as it is accepted
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_CONNECTIONS", default_value = "1024", value_parser = count(1, 65_536))]
    pub max_connections: usize,

    /// Calls at once on one connection; HTTP/2 makes its client wait before it begins another
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_CONCURRENT_STREAMS", default_value = "1024", value_parser = value_parser!(u32).range(1..=65_536))]
    pub max_concurrent_streams: u32,

    /// Calls at once in all, those included whose request is still coming, or whose answer is not taken yet; one more
    /// is refused with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_CALLS", default_value = "2048", value_parser = count(1, 1_000_000))]
    pub max_calls: usize,

    /// How long nothing may come of a request that has one message, before its call ends with DEADLINE_EXCEEDED
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_REQUEST_IDLE", default_value = "30s", value_parser = period)]
    pub max_request_idle: Duration,

    /// After this long without anything from the client, an HTTP/2 PING asks whether it is alive
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_KEEPALIVE_TIME", default_value = "30s", value_parser = period)]
    pub keepalive_time: Duration,

    /// How long the answer to that PING may take, before the connection is closed
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_KEEPALIVE_TIMEOUT", default_value = "20s", value_parser = period)]
    pub keepalive_timeout: Duration,

    /// How long a connection may have no call, before it is closed with GOAWAY
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_CONNECTION_IDLE", default_value = "1h", value_parser = period)]
    pub max_connection_idle: Duration,

    /// How long a connection is used for new calls, before it is closed with GOAWAY; a tenth more or less, so that not
    /// all are closed at once [default: for ever]
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_CONNECTION_AGE", value_parser = period)]
    pub max_connection_age: Option<Duration>,

    /// How long its calls may go on after that, before they are broken off [default: for ever]
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_CONNECTION_AGE_GRACE", requires = "max_connection_age", value_parser = period)]
    pub max_connection_age_grace: Option<Duration>,
}
