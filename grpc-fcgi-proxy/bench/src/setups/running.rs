//! What is measured: a way from a client to a FastCGI application, with an application of its own.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context;
use grpc_fcgi_proxy::fcgi::target::Target as Address;
use serde::Serialize;

use super::process::Process;
use super::{applications, envoy, nginx, proxy};
use crate::load::{Endpoint, Protocol};

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// For configuration, sockets and logs; somebody else removes it.
    pub(crate) folder: PathBuf,
    /// Program of the proxy.
    pub(crate) proxy: PathBuf,
    pub(crate) envoy: PathBuf,
    pub(crate) nginx: PathBuf,
    /// Whom php-fpm's workers run as.
    pub(crate) user: String,
    /// The PHP files of an earlier revision.
    pub(crate) php_before: Option<PathBuf>,
}

/// What runs the call in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backend {
    /// The trivial application.
    Trivial,
    /// php-fpm with the item application, 4 workers.
    PhpFpm,
    /// The same, with the PHP files of an earlier revision.
    PhpFpmBefore,
}

/// What is between the client and the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    Proxy,
    EnvoyNginx,
    Nginx,
    Nothing,
    /// What passes bytes on, and is no proxy.
    Relay,
    /// No application at all: a tonic server.
    Tonic,
}

/// How FastCGI is spoken on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) between: Between,
    /// Connections that stay open, in place of one for each call.
    pub(crate) kept: bool,
    /// A Unix socket, in place of TCP.
    pub(crate) unix: bool,
}

/// Of a php-fpm.
pub(crate) const WORKERS: usize = 4;

impl Places {
    /// The folder of the PHP files.
    pub(super) fn php(&self, backend: Backend) -> PathBuf {
        match (&self.php_before, backend) {
            (Some(before), Backend::PhpFpmBefore) => before.clone(),
            _ => self.root.join("php"),
        }
    }

    /// What php-fpm runs.
    pub(crate) fn script(&self, backend: Backend) -> PathBuf {
        self.php(backend).join("item/index.php")
    }
}

impl Way {
    pub(crate) const fn new(between: Between, kept: bool, unix: bool) -> Self {
        Self {
            between,
            kept,
            unix,
        }
    }

    /// As in the tables.
    pub(crate) fn name(self) -> String {
        let between = match self.between {
            Between::Proxy => "grpc-fcgi-proxy",
            Between::EnvoyNginx => "Envoy + nginx",
            Between::Nginx => "nginx, HTTP/1.1",
            Between::Nothing => "direct FastCGI",
            Between::Relay => "relay of bytes, no gRPC",
            Between::Tonic => "tonic, no FastCGI",
        };
        let kept = if self.kept { ", kept" } else { "" };
        let unix = if self.unix { ", Unix socket" } else { "" };
        format!("{between}{kept}{unix}")
    }
}

/// What is running and can be measured.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    /// The processes between client and application, by id.
    pub(crate) between: Vec<u32>,
    /// Those of the application.
    pub(crate) application: Vec<u32>,
    /// The first to end is the first here: what stands in front.
    _processes: Vec<Process>,
}

impl Target {
    /// Starts all that is on this way, and waits until it is ready.
    pub(crate) fn start(places: &Places, way: Way, backend: Backend) -> anyhow::Result<Self> {
        let exchanges = match backend {
            // It takes as many as come.
            Backend::Trivial => 256,
            Backend::PhpFpm | Backend::PhpFpmBefore => WORKERS,
        };
        Self::start_with(places, way, backend, exchanges)
    }

    /// With so many exchanges of the proxy at once.
    pub(crate) fn start_with(
        places: &Places,
        way: Way,
        backend: Backend,
        exchanges: usize,
    ) -> anyhow::Result<Self> {
        let name = way.name();
        let files = file_name(&format!("{name} {backend:?} {exchanges}"));
        let start = || Self::start_files(places, way, backend, exchanges, &files);
        start().with_context(|| format!("{name} does not start"))
    }

    fn start_files(
        places: &Places,
        way: Way,
        backend: Backend,
        exchanges: usize,
        files: &str,
    ) -> anyhow::Result<Self> {
        if way.between == Between::Tonic {
            let (process, address) = applications::tonic(places, files)?;
            return Ok(Self::of(way, Protocol::Grpc, address, vec![process], 1));
        }
        let listen = match way.unix {
            true => Address::Unix(free_path(places.folder.join(format!("{files}.sock")))?),
            false => free_address()?,
        };
        let application = applications::start(places, backend, files, &listen)?;
        let mut processes = Vec::new();
        let (protocol, address) = match way.between {
            Between::Proxy => {
                let (process, address) =
                    proxy::start(places, files, &listen, way, backend, exchanges)?;
                processes.push(process);
                (Protocol::Grpc, address)
            }
            Between::Nginx | Between::EnvoyNginx => {
                let (nginx, http) = nginx::start(places, files, &listen, way.kept, backend)?;
                processes.push(nginx);
                match way.between {
                    Between::Nginx => (Protocol::Http1, http),
                    _ => {
                        let (envoy, address) = envoy::start(places, files, &http)?;
                        processes.insert(0, envoy);
                        (Protocol::Grpc, address)
                    }
                }
            }
            Between::Relay => {
                let (process, address) = applications::relay(places, files, &listen)?;
                processes.push(process);
                (Protocol::Fastcgi, address)
            }
            _ if way.kept => (Protocol::FastcgiKept, listen),
            _ => (Protocol::Fastcgi, listen),
        };
        let between = processes.len();
        processes.push(application);
        Ok(Self::of(way, protocol, address, processes, between))
    }

    /// The first `between` of the processes are between client and application, the others are the application.
    fn of(
        way: Way,
        protocol: Protocol,
        address: Address,
        processes: Vec<Process>,
        between: usize,
    ) -> Self {
        let ids: Vec<u32> = processes.iter().map(Process::id).collect();
        Self {
            name: way.name(),
            endpoint: Endpoint { protocol, address },
            between: ids[..between].to_vec(),
            application: ids[between..].to_vec(),
            _processes: processes,
        }
    }

    /// Somebody else's gRPC proxy, which runs already.
    pub(crate) fn peer(name: &str, address: &str, process: Option<u32>) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: Endpoint {
                protocol: Protocol::Grpc,
                address: Address::Tcp(address.to_owned()),
            },
            between: process.into_iter().collect(),
            application: Vec::new(),
            _processes: Vec::new(),
        }
    }
}

/// A port that was free a moment ago: nginx, Envoy and php-fpm cannot tell which one they have taken.
pub(super) fn free_address() -> anyhow::Result<Address> {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    Ok(Address::Tcp(free.to_string()))
}

/// A path that is free again if a target before had it: applications leave their sockets behind.
fn free_path(path: PathBuf) -> std::io::Result<PathBuf> {
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}

/// Whether somebody listens there.
pub(super) fn accepts(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => std::net::TcpStream::connect(address).is_ok(),
        Address::Unix(path) => std::os::unix::net::UnixStream::connect(path).is_ok(),
    }
}

fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    name.chars().map(plain).collect()
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
