//! Flags and environment: read, checked, and refused before a port is bound.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;

use crate::call::CallLimits;
use crate::fcgi::pool::{Limits, Target};
use crate::health;
use crate::params::Script;
use crate::route::{Routes, ServicePattern};
use crate::tls::TlsFlags;

const KIB: usize = 1024;
/// More header fields do not fit in one FastCGI record as GRPC_METADATA.
const MOST_METADATA: u64 = 60 * 1024;
const LEAST_METADATA: u64 = 1024;

/// Serves gRPC by running a PHP script under php-fpm for each call.
///
/// The script reads the request message from php://input and prints the answer's message; it may set the call's
/// status with the header fields Grpc-Status, Grpc-Message and Grpc-Status-Details-Bin.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
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

    /// Where php-fpm listens: tcp://HOST:PORT or unix:///PATH
    #[arg(
        short,
        long,
        value_name = "URL",
        env = "GRPC_FCGI_PROXY_FASTCGI",
        default_value = "tcp://127.0.0.1:9000"
    )]
    pub fastcgi: Target,

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

    /// Services, and the PHP file to run for their calls instead: one service, as in shop.v1.Cart=/app/cart.php, or
    /// all of a package, as in 'shop.v1.*=/app/shop.php'; the first that matches wins; repeatable, or separated by
    /// commas
    #[arg(
        long,
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
        value_name = "FILE",
        env = "GRPC_FCGI_PROXY_DESCRIPTOR_SET",
        value_delimiter = ','
    )]
    pub descriptor_set: Vec<PathBuf>,

    /// Don't answer the service grpc.reflection.v1.ServerReflection (and v1alpha) from the descriptor sets; without a
    /// set it is never answered
    #[arg(long, env = "GRPC_FCGI_PROXY_NO_REFLECTION")]
    pub no_reflection: bool,

    /// Path of php-fpm's ping page (the pool's ping.path), such as /ping; what it answers decides what the service
    /// grpc.health.v1.Health tells [default: whether php-fpm accepts a connection]
    #[arg(long, value_name = "/PATH", env = "GRPC_FCGI_PROXY_PING_PATH", value_parser = health::ping_path)]
    pub ping_path: Option<String>,

    /// Calls that php-fpm runs at once: as many as it has workers; more would only wait in php-fpm's own queue
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_EXCHANGES", default_value = "8", value_parser = count(1, 65_536))]
    pub max_exchanges: usize,

    /// Streaming calls among them; one more is refused with RESOURCE_EXHAUSTED at once [default: half of
    /// --max-exchanges]
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_STREAMS", value_parser = count(0, 65_536))]
    pub max_streams: Option<usize>,

    /// Calls that wait for one of these to end; one more is refused with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "COUNT", env = "GRPC_FCGI_PROXY_MAX_WAITING", default_value = "1000", value_parser = count(0, 1_000_000))]
    pub max_waiting: usize,

    /// How long a call waits, before it is refused with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_MAX_WAIT", default_value = "10s", value_parser = humantime::parse_duration)]
    pub max_wait: Duration,

    /// Bytes of a message that a client may send
    #[arg(long, value_name = "BYTES", env = "GRPC_FCGI_PROXY_MAX_RECEIVE_MESSAGE_SIZE", default_value = "4194304", value_parser = count(0, u32::MAX.into()))]
    pub max_receive_message_size: usize,

    /// Bytes of a message that the application may answer with
    #[arg(long, value_name = "BYTES", env = "GRPC_FCGI_PROXY_MAX_SEND_MESSAGE_SIZE", default_value = "16777216", value_parser = count(0, u32::MAX.into()))]
    pub max_send_message_size: usize,

    /// Bytes of all header fields of a call, counted as HTTP/2 does: 32 for each besides name and value
    #[arg(long, value_name = "BYTES", env = "GRPC_FCGI_PROXY_MAX_METADATA_SIZE", default_value = "16384", value_parser = count(LEAST_METADATA, MOST_METADATA))]
    pub max_metadata_size: usize,

    /// How long running calls may take to end after SIGTERM
    #[arg(long, value_name = "TIME", env = "GRPC_FCGI_PROXY_DRAIN_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,

    /// TLS for the gRPC listener.
    #[command(flatten)]
    pub tls: TlsFlags,
}

impl Config {
    /// The bounds of the pool.
    #[must_use]
    pub fn pool_limits(&self) -> Limits {
        Limits {
            max_exchanges: self.max_exchanges,
            max_streams: self
                .max_streams
                .unwrap_or(self.max_exchanges.div_ceil(2))
                .min(self.max_exchanges),
            max_waiting: self.max_waiting,
            max_wait: self.max_wait,
        }
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
        }
    }

    /// What HTTP/2 itself refuses, so that what is a little over the limit gets a gRPC status.
    #[must_use]
    pub fn max_header_list_size(&self) -> u32 {
        u32::try_from(self.max_metadata_size + 64 * KIB).unwrap_or(u32::MAX)
    }
}

fn count(least: u64, most: u64) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => {
            usize::try_from(number).map_err(|error| error.to_string())
        }
        _ => Err(format!("it takes a number from {least} to {most}")),
    }
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("it takes the path of a PHP file".to_owned());
    }
    std::path::absolute(text).map_err(|error| error.to_string())
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "it takes HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or :8080".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(wrong());
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

impl Address {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// If the address is taken, or not this machine's.
    pub async fn bind(&self) -> std::io::Result<TcpListener> {
        if !self.host.is_empty() {
            return TcpListener::bind((self.host.as_str(), self.port)).await;
        }
        // All addresses: those of IPv6 too, where there is IPv6.
        match TcpListener::bind(SocketAddr::from(([0u16; 8], self.port))).await {
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                TcpListener::bind(SocketAddr::from(([0u8; 4], self.port))).await
            }
            bound => bound,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(
                    "it takes the whole path of a socket, such as unix:///run/php-fpm.sock"
                        .to_owned(),
                )
            };
        }
        let address = text
            .strip_prefix("tcp://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        match address.map(str::parse::<Address>) {
            Some(Ok(address)) if !address.host.is_empty() => Ok(Self::Tcp(address.to_string())),
            _ => Err(
                "it takes tcp://HOST:PORT or unix:///PATH, such as tcp://127.0.0.1:9000".to_owned(),
            ),
        }
    }
}

/// A route to another script than the entry script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// For which services.
    pub pattern: ServicePattern,
    /// The PHP file.
    pub file: PathBuf,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pattern, file) = text
            .split_once('=')
            .ok_or("it takes SERVICE=FILE, such as 'shop.v1.*=/app/shop.php'")?;
        Ok(Self {
            pattern: pattern.parse()?,
            file: absolute(file)?,
        })
    }
}

/// A path of the auxiliary server that PHP answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuxPath {
    /// The path in the URL.
    pub path: String,
    /// The PHP file.
    pub file: PathBuf,
}

impl FromStr for AuxPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, file) = text
            .split_once('=')
            .map_or((text, None), |(path, file)| (path, Some(file)));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
        if !path.starts_with('/') || path.len() < 2 || !path.bytes().all(plain) {
            return Err(
                "it takes /PATH or /PATH=FILE, such as /healthz.php=/app/healthz.php".to_owned(),
            );
        }
        if path == "/metrics" {
            return Err("/metrics is the proxy's own".to_owned());
        }
        let file = match file {
            Some(file) => absolute(file)?,
            None => std::path::absolute(Path::new(path.trim_start_matches('/')))
                .map_err(|error| error.to_string())?,
        };
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["grpc-fcgi-proxy"], arguments].concat())
    }

    #[test]
    fn the_defaults_are_the_predecessors() {
        let config = parse(&["/app/index.php"]).unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:8080");
        assert_eq!(config.aux_address.to_string(), "127.0.0.1:7070");
        assert_eq!(config.fastcgi, Target::Tcp("127.0.0.1:9000".to_owned()));
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
        assert_eq!(
            short.address,
            Address {
                host: String::new(),
                port: 80
            }
        );
        assert_eq!(short.fastcgi, Target::Unix("/run/fpm.sock".into()));
        assert_eq!(
            short.entry_script,
            std::env::current_dir().unwrap().join("index.php")
        );
    }

    #[test]
    fn a_wrong_flag_is_refused_with_what_it_takes() {
        let table: [(&[&str], &str); 17] = [
            (&["-a", "8080"], "it takes HOST:PORT"),
            (&["-a", "::1:8080"], "it takes HOST:PORT"),
            (&["-a", "localhost:99999"], "it takes HOST:PORT"),
            (&["-f", "127.0.0.1:9000"], "it takes tcp://HOST:PORT"),
            (&["-f", "unix://fpm.sock"], "the whole path of a socket"),
            (&["--aux-path", "healthz"], "it takes /PATH"),
            (&["--aux-path", "/metrics"], "/metrics is the proxy's own"),
            (&["--ping-path", "ping"], "it takes the pool's ping.path"),
            (&["--ping-path", "/a?b"], "it takes the pool's ping.path"),
            (&["--tls-cert", "a.pem"], "--tls-key <FILE>"),
            (&["--tls-key", "a.pem"], "--tls-cert <FILE>"),
            (&["--tls-client-ca", "a.pem"], "--tls-cert <FILE>"),
            (&["--route", "shop"], "it takes SERVICE=FILE"),
            (&["--route", "shop*=a.php"], "a route is for a service"),
            (&["--max-exchanges", "0"], "from 1 to 65536"),
            (&["--max-wait", "soon"], "--max-wait"),
            (&["--max-metadata-size", "100"], "from 1024 to 61440"),
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
