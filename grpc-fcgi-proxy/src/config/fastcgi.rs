//! Flags of the way to php-fpm: where it listens, and how many calls it gets.

use std::fmt;
use std::time::Duration;

use clap::Args;

use super::values::count;
use crate::fastcgi::pool::Limits;
use crate::fastcgi::target::Target;

/// Where php-fpm listens, and how many calls it gets.
#[derive(Clone, Debug, Args)]
pub struct FastcgiFlags {
    /// Where php-fpm listens: tcp://HOST:PORT or unix:///PATH; repeatable, or separated by commas: several share the
    /// calls, and one that cannot be connected to is left out until it can
    #[arg(
        short = 'f',
        long = "fastcgi",
        value_name = "URL",
        env = "GRPC_FCGI_PROXY_FASTCGI",
        value_delimiter = ',',
        default_value = "tcp://127.0.0.1:9000"
    )]
    pub targets: Vec<Target>,

    /// Calls that each php-fpm runs at once: as many as it has workers; more would only wait in php-fpm's own queue
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_EXCHANGES", default_value = "8", value_parser = count(1, 65_536))]
    pub max_exchanges: usize,

    /// Streaming calls among them; one more is refused with RESOURCE_EXHAUSTED [default: half of --max-exchanges]
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_STREAMS", value_parser = count(0, 65_536))]
    pub max_streams: Option<usize>,

    /// How long a streaming call over --max-streams waits for another to end, before it is refused; at 0s it is refused
    /// at once
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_STREAM_WAIT", default_value = "0s", value_parser = humantime::parse_duration)]
    pub max_stream_wait: Duration,

    /// Calls that wait for one of these to end; one more is refused with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_WAITING", default_value = "1000", value_parser = count(0, 1_000_000))]
    pub max_waiting: usize,

    /// How long a call waits, before it is refused with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_WAIT", default_value = "10s", value_parser = humantime::parse_duration)]
    pub max_wait: Duration,

    /// How long a worker counts as busy after its client has gone or its deadline is over, if it neither ends nor
    /// writes; should be more than the pool's request_terminate_timeout
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_ABANDONED_TIMEOUT", default_value = "5m", value_parser = humantime::parse_duration)]
    pub abandoned_timeout: Duration,

    /// How long a connection to php-fpm is kept for the next unary call; at 0s each call has a connection of its own,
    /// which never loses one. A kept one is faster, but pins a worker, and a call is lost (UNAVAILABLE) that is sent in
    /// the moment in which pm.max_requests ends its worker
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_FASTCGI_KEEP_ALIVE", default_value = "0s", value_parser = humantime::parse_duration)]
    pub fastcgi_keep_alive: Duration,
}

impl FastcgiFlags {
    /// The bounds of the pool.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            max_exchanges: self.max_exchanges,
            max_streams: self
                .max_streams
                .unwrap_or(self.max_exchanges.div_ceil(2))
                .min(self.max_exchanges),
            max_waiting: self.max_waiting,
            max_wait: self.max_wait,
            max_stream_wait: self.max_stream_wait,
            abandoned_timeout: self.abandoned_timeout,
            keep_alive: self.fastcgi_keep_alive,
        }
    }
}

impl fmt::Display for FastcgiFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<_> = self.targets.iter().map(Target::to_string).collect();
        f.write_str(&targets.join(" "))
    }
}
