//! The flags of php-fpm: its addresses, and the limits on its calls.

use std::fmt;
use std::time::Duration;

use clap::Args;

use super::values::{count, duration};
use crate::binding::own_params::{OwnParam, OwnParams};
use crate::fastcgi::endpoint::Endpoint;
use crate::fastcgi::limits::PoolLimits;
use crate::share::Share;

/// The addresses of php-fpm, and the limits on its calls.
#[derive(Clone, Debug, Args)]
pub(crate) struct FastcgiFlags {
    /// Address of php-fpm: tcp://HOST:PORT or unix:///PATH. Repeatable, or separated by commas: several php-fpms share the
    /// calls, and one that is unreachable is out of rotation until it is reachable again. Each address of a HOST is a
    /// php-fpm; a name is looked up every 5 s
    #[arg(
        short = 'f',
        long = "fastcgi",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "tcp://127.0.0.1:9000"
    )]
    pub(crate) endpoints: Vec<Endpoint>,

    /// Maximum number of concurrent exchanges (calls) with each php-fpm; further calls wait in the queue. Set it to the
    /// number of php-fpm's workers: more exchanges would only wait in its backlog
    #[arg(long, value_name = "COUNT", default_value = "8", value_parser = count(1, 65_536))]
    pub(crate) max_exchanges: usize,

    /// Maximum number of streaming calls among these exchanges; a further one fails with RESOURCE_EXHAUSTED
    /// [default: half of --max-exchanges]
    #[arg(long, value_name = "COUNT", value_parser = count(0, 65_536))]
    pub(crate) max_streams: Option<usize>,

    /// How long a streaming call over --max-streams waits for another one to end before it fails
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(crate) max_stream_wait: Duration,

    /// Maximum number of calls in the queue for php-fpm; a further call fails with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = count(0, 1_000_000))]
    pub(crate) max_waiting: usize,

    /// How long a call waits in the queue before it fails with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) max_wait: Duration,

    /// How long a worker counts as busy after its call was abandoned (the client has gone, or the deadline has expired), if
    /// it neither ends nor writes; set it higher than the pool's request_terminate_timeout
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) abandoned_timeout: Duration,

    /// How long a connection to php-fpm is kept for the next unary call; with 0s each call opens a new connection. A kept
    /// connection saves a connect, but pins a worker, and a call that is sent at the moment when pm.max_requests ends the
    /// worker fails with UNAVAILABLE
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(crate) fastcgi_keep_alive: Duration,

    /// FastCGI parameter for every script, as in APP_ENV=production: $_SERVER and getenv() have it. Without =VALUE it has the
    /// value of the proxy's own environment variable NAME. Repeatable, or separated by line feeds
    #[arg(
        long = "param",
        value_name = "NAME[=VALUE]",
        value_delimiter = '\n',
        hide_env_values = true,
        value_parser = OwnParam::additional
    )]
    pub(crate) params: Vec<OwnParam>,

    /// The same for what --param refuses: a variable that the proxy sets itself, such as SERVER_NAME, one that begins with
    /// HTTP_, or PHP_VALUE or PHP_ADMIN_VALUE, which change settings of PHP. What carries a call cannot be replaced
    #[arg(
        long = "param-override",
        value_name = "NAME[=VALUE]",
        value_delimiter = '\n',
        hide_env_values = true,
        value_parser = OwnParam::overriding
    )]
    pub(crate) overrides: Vec<OwnParam>,
}

impl FastcgiFlags {
    /// The parameters of every script.
    pub(super) fn own_params(&self) -> Result<OwnParams, String> {
        let params = self.params.iter().chain(&self.overrides);
        OwnParams::new(params.cloned().collect())
    }

    pub(crate) fn limits(&self, share: Share) -> PoolLimits {
        PoolLimits {
            share,
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
        let endpoints: Vec<_> = self.endpoints.iter().map(Endpoint::to_string).collect();
        f.write_str(&endpoints.join(" "))
    }
}
