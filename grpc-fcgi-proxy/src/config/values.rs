//! The values of flags: addresses, files, routes. An invalid value is refused with an example of a valid one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};

use crate::binding::route::ServicePattern;
use crate::fastcgi::endpoint::Endpoint;
use crate::lookup::lookup;
use crate::share::Share;

/// A number within limits.
pub(super) fn count(min: u64, max: u64) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => {
            usize::try_from(number).map_err(|error| error.to_string())
        }
        _ => Err(format!("expected a number from {min} to {max}")),
    }
}

/// A size in bytes, of which there is at least one.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err("expected a number of bytes, such as 67108864".to_owned()),
    }
}

/// A share in percent.
pub(super) fn share(text: &str) -> Result<Share, String> {
    count(1, 100)(text).map(Share)
}

/// Longer durations are mistakes, and would overflow the clock.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// A duration, which may be zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= MAX_DURATION => Ok(time),
        _ => Err("expected a duration of up to 1 year, such as 500ms, 30s or 1h".to_owned()),
    }
}

/// A network, or an address alone.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>();
    let network = network.or_else(|error| text.parse().map(IpAddr::into).map_err(|_| error));
    network.map_err(|_| {
        "expected a network or an address, such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1"
            .to_owned()
    })
}

/// A duration above zero.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Ok(time) if time.is_zero() => {
            Err("expected a duration above 0, such as 500ms, 30s or 1h".to_owned())
        }
        result => result,
    }
}

/// The absolute path of a file; a relative one is below the current directory.
pub(super) fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("expected the path of a PHP file".to_owned());
    }
    std::path::absolute(text).map_err(|error| error.to_string())
}

/// The path of one of php-fpm's own pages, as in the pool's `setting`.
pub(super) fn page(
    setting: &'static str,
    example: &'static str,
) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |text| {
        if is_plain_path(text) {
            Ok(text.to_owned())
        } else {
            Err(format!("expected the pool's {setting}, such as {example}"))
        }
    }
}

/// Whether the text is a path without percent-escapes.
fn is_plain_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
    text.starts_with('/') && text.len() > 1 && text.bytes().all(plain)
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid =
            || "expected HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or :8080".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(invalid());
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

impl Address {
    pub(crate) async fn bind(&self) -> std::io::Result<TcpListener> {
        if !self.host.is_empty() {
            return TcpListener::bind(self.addresses().await?.as_slice()).await;
        }
        // All addresses, including IPv6 where the machine has it.
        match TcpListener::bind(SocketAddr::from(([0u16; 8], self.port))).await {
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                TcpListener::bind(SocketAddr::from(([0u8; 4], self.port))).await
            }
            bound => bound,
        }
    }

    /// Connects to the proxy that listens there, on the same machine.
    pub(crate) async fn connect(&self) -> std::io::Result<TcpStream> {
        if !self.host.is_empty() {
            return TcpStream::connect(self.addresses().await?.as_slice()).await;
        }
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let addresses = loopback.map(|address: IpAddr| SocketAddr::new(address, self.port));
        TcpStream::connect(addresses.as_slice()).await
    }

    async fn addresses(&self) -> std::io::Result<Vec<SocketAddr>> {
        match self.host.parse() {
            Ok(address) => Ok(vec![SocketAddr::new(address, self.port)]),
            Err(_) => lookup(self.to_string()).await,
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

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(
                    "expected the absolute path of a socket, such as unix:///run/php-fpm.sock"
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
                "expected tcp://HOST:PORT or unix:///PATH, such as tcp://127.0.0.1:9000".to_owned(),
            ),
        }
    }
}

/// A route to a script other than the entry script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) pattern: ServicePattern,
    pub(crate) file: PathBuf,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pattern, file) = text
            .split_once('=')
            .ok_or("expected SERVICE=FILE, such as 'shop.v1.*=/app/shop.php'")?;
        Ok(Self {
            pattern: pattern.parse()?,
            file: absolute(file)?,
        })
    }
}

/// A path of the auxiliary server that a script answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuxPath {
    pub(crate) path: String,
    pub(crate) file: PathBuf,
}

impl FromStr for AuxPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, file) = text
            .split_once('=')
            .map_or((text, None), |(path, file)| (path, Some(file)));
        if !is_plain_path(path) {
            return Err(
                "expected /PATH or /PATH=FILE, such as /healthz.php=/app/healthz.php".to_owned(),
            );
        }
        if path == "/metrics" {
            return Err("/metrics is reserved for the proxy's metrics".to_owned());
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
