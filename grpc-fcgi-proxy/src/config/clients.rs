//! The flags of the limits on clients: connections, calls, and time.

use std::time::Duration;

use clap::{Args, value_parser};

use super::values::{count, period, share};
use crate::share::Share;

/// The limits on connections have the names and meanings of gRPC's own: gRFC A9, and keepalive.md.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ClientFlags {
    /// Maximum number of open connections; a further connection is closed as soon as it is accepted
    #[arg(long, value_name = "COUNT", default_value = "1024", value_parser = count(1, 65_536))]
    pub(crate) max_connections: usize,

    /// Maximum number of concurrent calls on one connection; HTTP/2 makes the client wait before it starts a further one
    #[arg(long, value_name = "COUNT", default_value = "1024", value_parser = value_parser!(u32).range(1..=65_536))]
    pub(crate) max_concurrent_streams: u32,

    /// Maximum number of concurrent calls in the proxy, from their header fields until the client has received the
    /// response; a further call fails with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "COUNT", default_value = "2048", value_parser = count(1, 1_000_000))]
    pub(crate) max_calls: usize,

    /// How many percent of what no other connection holds one connection may hold of --max-calls, --max-waiting and
    /// --max-streams, so that no client starves the others; 100 if all calls come from one client that is trusted, such as
    /// Envoy in front
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = share)]
    pub(crate) connection_share: Share,

    /// How long a unary or server-streaming request may stall before its call fails with DEADLINE_EXCEEDED
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = period)]
    pub(crate) max_request_idle: Duration,

    /// How long a unary or server-streaming request may take in all before its call fails with DEADLINE_EXCEEDED
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = period)]
    pub(crate) max_request_time: Duration,

    /// How long a client may take to read a piece of 64 KiB of a response before its call is reset
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = period)]
    pub(crate) max_response_idle: Duration,

    /// Send an HTTP/2 PING, or over HTTP/1.1 a keepalive of TCP, to a client that has been silent for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = period)]
    pub(crate) keepalive_time: Duration,

    /// How long a client may take to acknowledge that before its connection is closed
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = period)]
    pub(crate) keepalive_timeout: Duration,

    /// How long a connection may have no call before it is closed with GOAWAY (after twice this time at the latest)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = period)]
    pub(crate) max_connection_idle: Duration,

    /// How long a connection accepts new calls before it is closed with GOAWAY; varies by ±10 %, so that connections do
    /// not all close at once [default: unlimited]
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) max_connection_age: Option<Duration>,

    /// How long the calls of such a connection may run on before they are aborted [default: unlimited]
    #[arg(long, value_name = "TIME", requires = "max_connection_age", value_parser = period)]
    pub(crate) max_connection_age_grace: Option<Duration>,
}
