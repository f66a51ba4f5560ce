//! The flags of resident workers.

use std::time::Duration;

use clap::{Args, value_parser};

use super::Config;
use super::values::{bytes, count, period};
use crate::binding::head::MAX_HEAD_LENGTH;
use crate::binding::route::MethodPattern;
use crate::fastcgi::endpoint::Endpoint;
use crate::resident::limits::ResidentLimits;

/// Resident workers.
#[derive(Args, Clone, Debug)]
pub(crate) struct ResidentFlags {
    /// Number of resident workers of each script at each php-fpm; they boot once, and serve many calls each. They occupy
    /// php-fpm's workers: the pool needs some more for calls by themselves [default: none]
    #[arg(long, value_name = "COUNT", value_parser = count(1, 1024))]
    pub(crate) resident_workers: Option<usize>,

    /// Address of the php-fpm that runs them, if they have a pool of their own [default: as --fastcgi]. Repeatable, or
    /// separated by commas
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        requires = "resident_workers"
    )]
    pub(crate) resident_fastcgi: Vec<Endpoint>,

    /// Address that they connect back to: unix:///PATH or tcp://HOST:PORT. With tcp://0.0.0.0:PORT they connect to the
    /// address that php-fpm sees the proxy at, which needs a php-fpm on TCP [default: a Unix socket in a new directory
    /// below $RUNTIME_DIRECTORY or the system's directory for temporary files]
    #[arg(long, value_name = "URL", requires = "resident_workers")]
    pub(crate) resident_address: Option<Endpoint>,

    /// Maximum number of streaming calls in each worker; a further one fails with RESOURCE_EXHAUSTED, or waits
    /// (--max-stream-wait)
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = count(0, 65_536))]
    pub(crate) resident_streams: usize,

    /// Replace a worker after this number of calls; varies by ±10 % [default: unlimited]
    #[arg(long, value_name = "COUNT", requires = "resident_workers", value_parser = value_parser!(u64).range(1..=2_000_000_000))]
    pub(crate) resident_max_calls: Option<u64>,

    /// Replace a worker at this age; varies by ±10 % [default: unlimited]
    #[arg(long, value_name = "TIME", requires = "resident_workers", value_parser = period)]
    pub(crate) resident_max_age: Option<Duration>,

    /// Replace a worker when PHP has allocated this much memory, in bytes [default: unlimited]
    #[arg(long, value_name = "BYTES", requires = "resident_workers", value_parser = bytes)]
    pub(crate) resident_max_memory: Option<u64>,

    /// How long a worker may go on with a call after the client has gone, or the deadline has expired, before it is given
    /// up: its calls fail, and another worker takes its place
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = period)]
    pub(crate) resident_stuck_timeout: Duration,

    /// How long the streaming calls of a worker that is being replaced may run on; then they fail with UNAVAILABLE
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = period)]
    pub(crate) resident_drain_timeout: Duration,

    /// How long a worker may boot, from its launch until it connects
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = period)]
    pub(crate) resident_boot_timeout: Duration,

    /// Calls that run by themselves: of a service, as in shop.v1.Cart, of a package, as in 'shop.v1.*', or of a method, as in
    /// shop.v1.Cart/Export. Repeatable, or separated by commas
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        requires = "resident_workers"
    )]
    pub(crate) resident_exclude: Vec<MethodPattern>,
}

impl ResidentFlags {
    /// How many workers there are of a script at each target.
    pub(crate) fn workers(&self) -> usize {
        self.resident_workers.unwrap_or(0)
    }
}

impl Config {
    /// The limits on resident workers, if there are any.
    pub(crate) fn resident_limits(&self) -> Option<ResidentLimits> {
        let (flags, fastcgi) = (&self.resident, &self.fastcgi);
        Some(ResidentLimits {
            workers: flags.resident_workers?,
            streams: flags.resident_streams,
            max_waiting: fastcgi.max_waiting,
            share: self.clients.connection_share,
            max_wait: fastcgi.max_wait,
            max_stream_wait: fastcgi.max_stream_wait,
            answer: self.max_send_message_size + MAX_HEAD_LENGTH,
            max_calls: flags.resident_max_calls,
            max_age: flags.resident_max_age,
            max_memory: flags.resident_max_memory.unwrap_or(0),
            stuck_timeout: flags.resident_stuck_timeout,
            drain_timeout: flags.resident_drain_timeout,
            boot_timeout: flags.resident_boot_timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn an_invalid_flag_is_refused_with_an_example_of_a_valid_one() {
        let table: [(&[&str], &str); 8] = [
            (&["--resident-workers", "0"], "from 1 to 1024"),
            (&["--resident-exclude", "a.B"], "--resident-workers <COUNT>"),
            (
                &["--resident-workers", "1", "--resident-exclude", "a.*/C"],
                "expected a service, such as shop.v1.Cart, a package",
            ),
            (
                &["--resident-workers", "1", "--resident-address", ":9000"],
                "expected tcp://HOST:PORT",
            ),
            (
                &["--resident-fastcgi", "tcp://a:1"],
                "--resident-workers <COUNT>",
            ),
            (
                &["--resident-workers", "1", "--resident-max-calls", "0"],
                "is not in 1..",
            ),
            (&["--resident-boot-timeout", "0s"], "a duration above 0"),
            (&["--resident-drain-timeout", "0s"], "a duration above 0"),
        ];
        for (arguments, expected) in table {
            let all = [&["grpc-fcgi-proxy"], arguments, &["index.php"]].concat();
            let error = Config::try_parse_from(all).unwrap_err().to_string();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn there_are_no_resident_workers_by_default() {
        let config = Config::parse_from(["grpc-fcgi-proxy", "index.php"]);
        assert!(config.resident_limits().is_none());
    }
}
