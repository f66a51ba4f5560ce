//! Flags and environment: parsed, validated, and refused before a port is bound.

mod clients;
mod command;
mod fastcgi;
mod load_reports;
mod otlp;
mod resident;
mod status;
mod tls;
mod values;
mod web;

use std::env;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use clap::Parser;

pub(crate) use self::clients::ClientFlags;
use self::command::EXAMPLES;
pub use self::command::{CommandLine, HealthFlags, command};
use self::fastcgi::FastcgiFlags;
use self::load_reports::LoadReportFlags;
pub(crate) use self::load_reports::LoadSource;
use self::otlp::OtlpFlags;
pub(crate) use self::resident::ResidentFlags;
use self::status::StatusFlags;
pub(crate) use self::tls::TlsFlags;
pub(crate) use self::values::{Address, AuxPath};
use self::values::{Route, absolute, count, duration, page};
pub(crate) use self::web::{Origin, UnknownFields, WebFlags};

use crate::binding::route::{Routes, Script};
use crate::spans::SpanSettings;

/// Larger metadata might not fit as GRPC_METADATA in one FastCGI record.
const MAX_METADATA: u64 = 60 * 1024;
const MIN_METADATA: u64 = 1024;

const AUX_ADDRESS: &str = "127.0.0.1:7070";

const PHP_FPM: &str = "php-fpm";
const RESIDENT: &str = "Resident workers";
const SERVICES: &str = "Services";
const LIMITS: &str = "Limits on clients";
const TLS: &str = "TLS";
const WEB: &str = "gRPC-Web, Connect and REST";
const SPANS: &str = "Spans (OpenTelemetry)";

/// Serve gRPC by running a PHP script under php-fpm for each call.
///
/// The script reads the request message from php://input and prints the response message. It may set the status of the
/// call with the header fields Grpc-Status, Grpc-Message and Grpc-Status-Details-Bin.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct Config {
    /// PHP file to run for each call, as php-fpm sees it; a relative path starts at the current directory
    #[arg(value_name = "ENTRY_SCRIPT", value_parser = absolute)]
    pub(crate) entry_script: PathBuf,

    /// Address to serve gRPC on (HTTP/2, without TLS unless --tls-cert is set); a port alone, as in :8080, means all
    /// addresses
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) address: Address,

    /// Address to serve /healthz, /metrics and the auxiliary paths on (HTTP/1.1)
    #[arg(
        short = 'x',
        long,
        value_name = "HOST:PORT",
        default_value = AUX_ADDRESS
    )]
    pub(crate) aux_address: Address,

    /// Path on the auxiliary address that a PHP file answers; without FILE, the file of that name below the current
    /// directory. Repeatable, or separated by commas
    #[arg(
        long,
        value_name = "/PATH[=FILE]",
        value_delimiter = ',',
        value_parser = AuxPath::from_str
    )]
    pub(crate) aux_path: Vec<AuxPath>,

    /// How long calls may run on after SIGTERM, SIGINT or SIGQUIT before they are aborted with UNAVAILABLE; a second signal
    /// ends the proxy at once
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) drain_timeout: Duration,

    /// Number of threads that serve connections; each connection stays on one thread [default: half of the available
    /// processors, at least 1: php-fpm needs the others]
    #[arg(long, value_name = "COUNT", value_parser = count(1, 1024))]
    pub(crate) threads: Option<usize>,

    /// php-fpm.
    #[command(flatten, next_help_heading = PHP_FPM)]
    pub(crate) fastcgi: FastcgiFlags,

    /// Path of php-fpm's ping page (the pool's ping.path), such as /ping. The health service requests it to determine
    /// whether php-fpm is healthy; without this flag, php-fpm is healthy if it accepts a connection
    #[arg(long, help_heading = PHP_FPM, value_name = "/PATH", value_parser = page("ping.path", "/ping"))]
    pub(crate) ping_path: Option<String>,

    /// php-fpm's status page.
    #[command(flatten, next_help_heading = PHP_FPM)]
    pub(crate) status: StatusFlags,

    /// Resident workers.
    #[command(flatten, next_help_heading = RESIDENT)]
    pub(crate) resident: ResidentFlags,

    /// PHP file for the calls of a service, as in shop.v1.Cart=/app/cart.php, or of a package, as in
    /// 'shop.v1.*=/app/shop.php', instead of the entry script; the first match wins. Repeatable, or separated by commas
    #[arg(
        long,
        help_heading = SERVICES,
        value_name = "SERVICE=FILE",
        value_delimiter = ',',
        value_parser = Route::from_str
    )]
    pub(crate) route: Vec<Route>,

    /// Resolve the symbolic links in a script's path for each call, so that a call runs the release that a link names at that
    /// moment. php-fpm must see the files under the same paths as the proxy does
    #[arg(long, help_heading = SERVICES)]
    pub(crate) resolve_symlinks: bool,

    /// FileDescriptorSet of the services, as written by protoc --descriptor_set_out. It determines which methods stream; a
    /// method in no set is unary. Repeatable, or separated by commas
    #[arg(
        long,
        help_heading = SERVICES,
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub(crate) descriptor_set: Vec<PathBuf>,

    /// Do not serve server reflection (grpc.reflection.v1 and v1alpha), which the proxy serves if it has a descriptor set
    #[arg(long, help_heading = SERVICES)]
    pub(crate) no_reflection: bool,

    /// Fail a unary call with UNKNOWN if its script sends neither Grpc-Status nor an HTTP status other than 200. Without this
    /// flag the call is OK, even after exit or die() and with text before <?php
    #[arg(long, help_heading = SERVICES)]
    pub(crate) require_status: bool,

    /// Load reports.
    #[command(flatten, next_help_heading = SERVICES)]
    pub(crate) load_reports: LoadReportFlags,

    /// Maximum size of a request message in bytes, uncompressed
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", default_value = "4194304", value_parser = count(0, u32::MAX.into()))]
    pub(crate) max_receive_message_size: usize,

    /// Maximum size of a response message in bytes, uncompressed
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", default_value = "16777216", value_parser = count(0, u32::MAX.into()))]
    pub(crate) max_send_message_size: usize,

    /// Maximum size of a call's header fields in bytes, counted as HTTP/2 does: name, value and 32 for each field
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", default_value = "16384", value_parser = count(MIN_METADATA, MAX_METADATA))]
    pub(crate) max_metadata_size: usize,

    /// Maximum size of what the application puts into a response's header fields, and into its trailers, in bytes, counted as
    /// HTTP/2 does. A longer status message is cut, and what else exceeds the limit is dropped; a call that would succeed
    /// fails with RESOURCE_EXHAUSTED
    #[arg(long, help_heading = LIMITS, value_name = "BYTES", default_value = "8192", value_parser = count(MIN_METADATA, MAX_METADATA))]
    pub(crate) max_response_metadata_size: usize,

    /// Limits on clients.
    #[command(flatten, next_help_heading = LIMITS)]
    pub(crate) clients: ClientFlags,

    /// TLS for the gRPC listener.
    #[command(flatten, next_help_heading = TLS)]
    pub(crate) tls: TlsFlags,

    /// gRPC-Web.
    #[command(flatten, next_help_heading = WEB)]
    pub(crate) web: WebFlags,

    /// Spans.
    #[command(flatten, next_help_heading = SPANS)]
    pub(crate) otlp: OtlpFlags,
}

impl Config {
    pub(crate) fn threads(&self) -> usize {
        // This respects a container's CPU quota.
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.unwrap_or(processors.div_ceil(2))
    }

    /// How the spans of calls are sent, if they are.
    pub(crate) fn spans(&self) -> Result<Option<SpanSettings>, String> {
        self.otlp.settings(|name| env::var(name).ok())
    }

    /// Whether the proxy serves reflection.
    pub(crate) fn reflection(&self) -> bool {
        !self.no_reflection && !self.descriptor_set.is_empty()
    }

    /// The script at a configured path.
    pub(crate) fn script(&self, path: &Path) -> Script {
        // `CommandLine::read` refuses invalid ones.
        let own = self.fastcgi.own_params().unwrap_or_default();
        Script::new(path)
            .resolving(self.resolve_symlinks)
            .with_params(own)
    }

    /// The scripts that have resident workers, if there are any.
    pub(crate) fn resident_scripts(&self) -> Vec<Script> {
        self.routes()
            .scripts_without(&self.resident.resident_exclude)
    }

    /// The auxiliary paths and their scripts.
    pub(crate) fn aux_scripts(&self) -> impl Iterator<Item = (&str, Script)> {
        let paths = self.aux_path.iter();
        paths.map(|aux| (aux.path.as_str(), self.script(&aux.file)))
    }

    pub(crate) fn routes(&self) -> Routes {
        let routes = self
            .route
            .iter()
            .map(|route| (route.pattern.clone(), self.script(&route.file)));
        Routes::new(self.script(&self.entry_script), routes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastcgi::endpoint::Endpoint;

    fn parse(arguments: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["grpc-fcgi-proxy"], arguments].concat())
    }

    #[test]
    fn the_defaults_are_the_predecessors() {
        let config = parse(&["/app/index.php"]).unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:8080");
        assert_eq!(config.aux_address.to_string(), "127.0.0.1:7070");
        assert_eq!(
            config.fastcgi.endpoints,
            [Endpoint::Tcp("127.0.0.1:9000".to_owned())]
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
            short.fastcgi.endpoints,
            [Endpoint::Unix("/run/fpm.sock".into())]
        );
        assert_eq!(
            short.entry_script,
            std::env::current_dir().unwrap().join("index.php")
        );
    }

    #[test]
    fn an_invalid_flag_is_refused_with_an_example_of_a_valid_one() {
        let table: [(&[&str], &str); 33] = [
            (&["--trusted-proxy", "10.0.0.0/33"], "expected a network"),
            (&["--trusted-proxy", "envoy"], "such as 10.0.0.0/8"),
            (&["-a", "8080"], "expected HOST:PORT"),
            (&["-a", "::1:8080"], "expected HOST:PORT"),
            (&["-a", "localhost:99999"], "expected HOST:PORT"),
            (&["-f", "127.0.0.1:9000"], "expected tcp://HOST:PORT"),
            (&["-f", "unix://fpm.sock"], "the absolute path of a socket"),
            (&["--aux-path", "healthz"], "expected /PATH"),
            (&["--aux-path", "/metrics"], "/metrics is reserved"),
            (&["--ping-path", "ping"], "expected the pool's ping.path"),
            (&["--ping-path", "/a?b"], "expected the pool's ping.path"),
            (
                &["--status-path", "status"],
                "expected the pool's pm.status_path",
            ),
            (&["--status-fastcgi", "tcp://a:1"], "--status-path </PATH>"),
            (&["--tls-cert", "a.pem"], "--tls-key <FILE>"),
            (&["--tls-key", "a.pem"], "--tls-cert <FILE>"),
            (&["--tls-client-ca", "a.pem"], "--tls-cert <FILE>"),
            (&["--route", "shop"], "expected SERVICE=FILE"),
            (&["--route", "shop*=a.php"], "expected a service"),
            (&["--threads", "0"], "from 1 to 1024"),
            (&["--max-exchanges", "0"], "from 1 to 65536"),
            (&["--max-wait", "soon"], "--max-wait"),
            (&["--max-metadata-size", "100"], "from 1024 to 61440"),
            (&["--max-response-metadata-size", "0"], "from 1024 to 61440"),
            (&["--grpc-web-origin", "https://a.example"], "--grpc-web"),
            (
                &["--grpc-web", "--grpc-web-origin", "a.example"],
                "expected an origin",
            ),
            (
                &["--grpc-web", "--grpc-web-origin", "https://a/b"],
                "expected an origin",
            ),
            (
                &["--json-unknown-fields", "drop"],
                "--descriptor-set <FILE>",
            ),
            (
                &["--descriptor-set", "a", "--json-unknown-fields", "keep"],
                "[possible values: refuse, drop]",
            ),
            (&["--max-connections", "0"], "from 1 to 65536"),
            (&["--max-concurrent-streams", "0"], "1..=65536"),
            (&["--max-calls", "0"], "from 1 to 1000000"),
            (&["--connection-share", "101"], "from 1 to 100"),
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

    #[test]
    fn an_invalid_duration_is_refused_with_what_is_expected() {
        for (flag, value, expected) in [
            ("--max-request-idle", "0s", "a duration above 0"),
            ("--keepalive-time", "often", "a duration of up to 1 year"),
            ("--max-connection-idle", "10", "a duration of up to 1 year"),
            // These overflowed the clock at the first call or connection.
            (
                "--max-wait",
                "18446744073709551615s",
                "a duration of up to 1 year",
            ),
            (
                "--keepalive-time",
                "18446744073709551615s",
                "a duration of up to 1 year",
            ),
        ] {
            let error = parse(&[flag, value, "index.php"]).unwrap_err().to_string();
            assert!(error.contains(expected), "{flag} {value}: {error}");
        }
        assert!(parse(&["--max-wait", "0s", "index.php"]).is_ok());
    }
}
