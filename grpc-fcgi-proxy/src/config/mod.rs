//! Flags and environment: read, checked, and refused before a port is bound.

mod clients;
mod command;
mod fastcgi;
mod status;
mod values;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use clap::Parser;

pub use self::clients::ClientFlags;
pub use self::command::CommandLine;
pub use self::fastcgi::FastcgiFlags;
pub use self::status::StatusFlags;
pub use self::values::{Address, AuxPath, Route};
use self::values::{absolute, count, page};

use crate::binding::route::{Routes, Script};
use crate::call::CallLimits;
use crate::server::ServerLimits;
use crate::server::tls::TlsFlags;
use crate::server::web::WebFlags;

const KIB: usize = 1024;
/// More header fields do not fit in one FastCGI record as GRPC_METADATA.
const MOST_METADATA: u64 = 60 * 1024;
const LEAST_METADATA: u64 = 1024;

const PHP_FPM: &str = "php-fpm";
const SERVICES: &str = "Services";
const LIMITS: &str = "Limits on clients";
const TLS: &str = "TLS";
const WEB: &str = "gRPC-Web";

const EXAMPLES: &str = "\
Examples:
  The php-fpm on port 9000 has 8 workers and no streaming calls:
      grpc-fcgi-proxy --max-exchanges 8 /app/index.php
  Two php-fpms on Unix sockets, with streaming calls, health and metrics:
      grpc-fcgi-proxy -f unix:///run/a.sock -f unix:///run/b.sock --descriptor-set shop.binpb \\
          --ping-path /ping --status-path /status /app/index.php
  Without Envoy in front:
      grpc-fcgi-proxy -a :443 --tls-cert cert.pem --tls-key key.pem /app/index.php
  Is it all set up right?
      grpc-fcgi-proxy check --ping-path /ping --status-path /status /app/index.php

TIME is a number and a unit, such as 500ms, 10s or 1h. A flag wins over its variable of the environment.";

/// Serves gRPC by running a PHP script under php-fpm for each call.
///
/// The script reads the request message from php://input and prints the answer's message; it may set the call's
/// status with the header fields Grpc-Status, Grpc-Message and Grpc-Status-Details-Bin.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct Config {
    /// PHP file to run for each call, as php-fpm sees it; a relative one is below the current folder
    #[arg(value_name = "ENTRY_SCRIPT", env = "GRPC_FCGI_PROXY_ENTRY_SCRIPT", value_parser = absolute)]
    pub entry_script: PathBuf,

    /// Address to serve gRPC on (HTTP/2, without TLS unless there is --tls-cert); a port alone, as in :8080, is on all
    /// addresses
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        env = "GRPC_FCGI_PROXY_ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    pub address: Address,

    /// Address to serve /healthz, /metrics and the auxiliary paths on (HTTP/1.1)
    #[arg(
        short = 'x',
        long,
        value_name = "HOST:PORT",
        env = "GRPC_FCGI_PROXY_AUX_ADDRESS",
        default_value = "127.0.0.1:7070"
    )]
    pub aux_address: Address,

    /// Path on the auxiliary address that php-fpm answers, with the PHP file to run [default: the path below the
    /// current folder]; repeatable, or separated by commas
    #[arg(
        long,
        value_name = "/PATH[=FILE]",
        env = "GRPC_FCGI_PROXY_AUX_PATH",
        value_delimiter = ',',
        value_parser = AuxPath::from_str
    )]
    pub aux_path: Vec<AuxPath>,

    /// How long running calls may take to end after SIGTERM; then they end with UNAVAILABLE
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_DRAIN_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,

    /// Threads that serve; a connection stays on one of them [default: half of the processors that there are for it, and
    /// one at the least: php-fpm needs several times as much]
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_THREADS", value_parser = count(1, 1024))]
    pub threads: Option<usize>,

    /// The way to php-fpm.
    #[command(flatten, next_help_heading = PHP_FPM)]
    pub fastcgi: FastcgiFlags,

    /// Path of php-fpm's ping page (the pool's ping.path), such as /ping; what it answers decides what the service
    /// grpc.health.v1.Health tells [default: whether php-fpm accepts a connection]
    #[arg(long, help_heading = PHP_FPM, value_name = "/PATH", env = "GRPC_FCGI_PROXY_PING_PATH", value_parser = page("ping.path", "/ping"))]
    pub ping_path: Option<String>,

    /// php-fpm's status page.
    #[command(flatten, next_help_heading = PHP_FPM)]
    pub status: StatusFlags,

    /// Services, and the PHP file to run for their calls instead: one service, as in shop.v1.Cart=/app/cart.php, or
    /// all of a package, as in 'shop.v1.*=/app/shop.php'; the first that matches wins; repeatable, or separated by
    /// commas
    #[arg(
        long,
        help_heading = SERVICES,
        value_name = "SERVICE=FILE",
        env = "GRPC_FCGI_PROXY_ROUTE",
        value_delimiter = ',',
        value_parser = Route::from_str
    )]
    pub route: Vec<Route>,

    /// FileDescriptorSet of the services, as from protoc --descriptor_set_out; it says which methods stream, and a
    /// method that is in none is unary; repeatable, or separated by commas
    #[arg(
        long,
        help_heading = SERVICES,
        value_name = "FILE",
        env = "GRPC_FCGI_PROXY_DESCRIPTOR_SET",
        value_delimiter = ','
    )]
    pub descriptor_set: Vec<PathBuf>,

    /// Don't answer the service grpc.reflection.v1.ServerReflection (and v1alpha) from the descriptor sets; without a
    /// set it is never answered
    #[arg(long, help_heading = SERVICES, env = "GRPC_FCGI_PROXY_NO_REFLECTION")]
    pub no_reflection: bool,

    /// Bytes of a message that a client may send
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", env = "GRPC_FCGI_PROXY_MAX_RECEIVE_MESSAGE_SIZE", default_value = "4194304", value_parser = count(0, u32::MAX.into()))]
    pub max_receive_message_size: usize,

    /// Bytes of a message that the application may answer with
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", env = "GRPC_FCGI_PROXY_MAX_SEND_MESSAGE_SIZE", default_value = "16777216", value_parser = count(0, u32::MAX.into()))]
    pub max_send_message_size: usize,

    /// Bytes of all header fields of a call, counted as HTTP/2 does: 32 for each besides name and value
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", env = "GRPC_FCGI_PROXY_MAX_METADATA_SIZE", default_value = "16384", value_parser = count(LEAST_METADATA, MOST_METADATA))]
    pub max_metadata_size: usize,

    /// What clients may take up.
    #[command(flatten, next_help_heading = LIMITS)]
    pub clients: ClientFlags,

    /// TLS for the gRPC listener.
    #[command(flatten, next_help_heading = TLS)]
    pub tls: TlsFlags,

    /// gRPC-Web.
    #[command(flatten, next_help_heading = WEB)]
    pub web: WebFlags,
}

impl Config {
    /// How many threads serve.
    #[must_use]
    pub fn threads(&self) -> usize {
        // A container's quota counts, too.
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.unwrap_or(processors.div_ceil(2))
    }

    /// Whether the proxy answers reflection.
    #[must_use]
    pub fn reflection(&self) -> bool {
        !self.no_reflection && !self.descriptor_set.is_empty()
    }

    /// Which script runs what.
    #[must_use]
    pub fn routes(&self) -> Routes {
        let routes = self
            .route
            .iter()
            .map(|route| (route.pattern.clone(), Script::new(&route.file)));
        Routes::new(Script::new(&self.entry_script), routes.collect())
    }

    /// The bounds of a call.
    #[must_use]
    pub fn call_limits(&self) -> CallLimits {
        CallLimits {
            receive_message: self.max_receive_message_size,
            send_message: self.max_send_message_size,
            metadata: self.max_metadata_size,
            request_idle: self.clients.max_request_idle,
        }
    }

    /// The bounds of the server. HTTP/2 itself refuses only what is far over the limit, so that what is a little over
    /// it gets a gRPC status.
    #[must_use]
    pub fn server_limits(&self) -> ServerLimits {
        ServerLimits {
            clients: self.clients,
            max_header_list_size: u32::try_from(self.max_metadata_size + 64 * KIB)
                .unwrap_or(u32::MAX),
            drain_timeout: self.drain_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fastcgi::target::Target;

    fn parse(arguments: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["grpc-fcgi-proxy"], arguments].concat())
    }

    #[test]
    fn the_defaults_are_the_predecessors() {
        let config = parse(&["/app/index.php"]).unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:8080");
        assert_eq!(config.aux_address.to_string(), "127.0.0.1:7070");
        assert_eq!(
            config.fastcgi.targets,
            [Target::Tcp("127.0.0.1:9000".to_owned())]
        );
    }

    #[test]
    fn an_old_command_line_works() {
        let config = parse(&[
            "--address=127.0.0.1:9090",
            "--fastcgi=tcp://127.0.0.1:9000",
            "--aux-address=127.0.0.1:5050",
            "--aux-path=/healthz.php=/app/healthz.php",
            "--aux-path=/status",
            "/app/index.php",
        ])
        .unwrap();
        assert_eq!(config.entry_script, Path::new("/app/index.php"));
        assert_eq!(
            config.aux_path[0],
            AuxPath {
                path: "/healthz.php".into(),
                file: "/app/healthz.php".into()
            }
        );
        assert_eq!(
            config.aux_path[1].file,
            std::env::current_dir().unwrap().join("status")
        );
        let short = parse(&[
            "-a",
            ":80",
            "-x",
            "[::1]:81",
            "-f",
            "unix:///run/fpm.sock",
            "index.php",
        ])
        .unwrap();
        assert_eq!(short.address.to_string(), ":80");
        assert_eq!(
            short.fastcgi.targets,
            [Target::Unix("/run/fpm.sock".into())]
        );
        assert_eq!(
            short.entry_script,
            std::env::current_dir().unwrap().join("index.php")
        );
    }

    #[test]
    fn a_wrong_flag_is_refused_with_what_it_takes() {
        let table: [(&[&str], &str); 30] = [
            (&["-a", "8080"], "it takes HOST:PORT"),
            (&["-a", "::1:8080"], "it takes HOST:PORT"),
            (&["-a", "localhost:99999"], "it takes HOST:PORT"),
            (&["-f", "127.0.0.1:9000"], "it takes tcp://HOST:PORT"),
            (&["-f", "unix://fpm.sock"], "the whole path of a socket"),
            (&["--aux-path", "healthz"], "it takes /PATH"),
            (&["--aux-path", "/metrics"], "/metrics is the proxy's own"),
            (&["--ping-path", "ping"], "it takes the pool's ping.path"),
            (&["--ping-path", "/a?b"], "it takes the pool's ping.path"),
            (
                &["--status-path", "status"],
                "it takes the pool's pm.status_path",
            ),
            (&["--status-fastcgi", "tcp://a:1"], "--status-path </PATH>"),
            (&["--tls-cert", "a.pem"], "--tls-key <FILE>"),
            (&["--tls-key", "a.pem"], "--tls-cert <FILE>"),
            (&["--tls-client-ca", "a.pem"], "--tls-cert <FILE>"),
            (&["--route", "shop"], "it takes SERVICE=FILE"),
            (&["--route", "shop*=a.php"], "a route is for a service"),
            (&["--threads", "0"], "from 1 to 1024"),
            (&["--max-exchanges", "0"], "from 1 to 65536"),
            (&["--max-wait", "soon"], "--max-wait"),
            (&["--max-metadata-size", "100"], "from 1024 to 61440"),
            (&["--grpc-web-origin", "https://a.example"], "--grpc-web"),
            (
                &["--grpc-web", "--grpc-web-origin", "a.example"],
                "it takes an origin",
            ),
            (
                &["--grpc-web", "--grpc-web-origin", "https://a/b"],
                "it takes an origin",
            ),
            (&["--max-connections", "0"], "from 1 to 65536"),
            (&["--max-concurrent-streams", "0"], "1..=65536"),
            (&["--max-calls", "0"], "from 1 to 1000000"),
            (&["--max-request-idle", "0s"], "a time above 0"),
            (&["--keepalive-time", "often"], "a time above 0"),
            (&["--max-connection-idle", "10"], "a time above 0"),
            (
                &["--max-connection-age-grace", "1s"],
                "--max-connection-age <TIME>",
            ),
        ];
        for (arguments, expected) in table {
            let error = parse(&[arguments, &["index.php"]].concat())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
        assert!(parse(&[]).is_err());
    }
}
