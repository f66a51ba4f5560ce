//! A setup that is running.

use anyhow::Context;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{free_address, free_path};
use super::backend::{Backend, WORKERS};
use super::paths::Paths;
use super::process::Process;
use super::setup::{Intermediary, Setup, Transport};
use super::usage::{Usage, usage, usage_apart};
use super::{applications, envoy, nginx, proxy};
use crate::load::{Endpoint, Protocol};

/// A setup whose programs are running.
#[derive(Debug)]
pub(crate) struct RunningSetup {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    /// The processes between client and application, by id.
    pub(crate) intermediary: Vec<u32>,
    /// The processes of the application.
    pub(crate) application: Vec<u32>,
    /// Whether PHP may run below the first ones.
    php_below: bool,
    /// They end in this order, from the client to the application.
    _processes: Vec<Process>,
}

impl RunningSetup {
    /// Starts all programs of a setup, and waits until they are ready.
    pub(crate) fn start(paths: &Paths, setup: Setup, backend: Backend) -> anyhow::Result<Self> {
        let exchanges = match backend {
            // It takes any number.
            Backend::Trivial => 256,
            _ => WORKERS,
        };
        Self::start_with(paths, setup, backend, exchanges)
    }

    /// The same, with this number of exchanges at once: of workers, if it runs php-fpm.
    pub(crate) fn start_with(
        paths: &Paths,
        setup: Setup,
        backend: Backend,
        exchanges: usize,
    ) -> anyhow::Result<Self> {
        let name = setup.name();
        let files = file_name(&format!("{name} {backend:?} {exchanges}"));
        let start = || Self::start_files(paths, setup, backend, exchanges, &files);
        start().with_context(|| format!("{name} did not start"))
    }

    fn start_files(
        paths: &Paths,
        setup: Setup,
        backend: Backend,
        exchanges: usize,
        files: &str,
    ) -> anyhow::Result<Self> {
        if setup.intermediary == Intermediary::Tonic {
            let (process, address) = applications::tonic(paths, files)?;
            return Ok(Self::of(setup, Protocol::Grpc, address, vec![process], 1));
        }
        let listen = if setup.unix {
            Address::Unix(free_path(paths.folder.join(format!("{files}.sock")))?)
        } else {
            free_address()?
        };
        let application =
            applications::start(paths, setup.transport, backend, files, &listen, exchanges)?;
        let mut processes = Vec::new();
        let (protocol, address) = match setup.intermediary {
            Intermediary::Proxy => {
                let (process, address) =
                    proxy::start(paths, files, &listen, setup, backend, exchanges)?;
                processes.push(process);
                (Protocol::Grpc, address)
            }
            Intermediary::Transcoder => {
                let (proxy, grpc) = proxy::start(paths, files, &listen, setup, backend, exchanges)?;
                let (envoy, address) = envoy::start_transcoder(paths, files, &grpc)?;
                processes.extend([envoy, proxy]);
                (Protocol::Json, address)
            }
            Intermediary::Nginx | Intermediary::EnvoyNginx => {
                let (nginx, http) = nginx::start(paths, files, &listen, setup.transport, backend)?;
                processes.push(nginx);
                match setup.intermediary {
                    Intermediary::Nginx => (Protocol::Http1, http),
                    _ => {
                        let (envoy, address) = envoy::start(paths, files, &http)?;
                        processes.insert(0, envoy);
                        (Protocol::Grpc, address)
                    }
                }
            }
            Intermediary::Relay => {
                let (process, address) = applications::relay(paths, files, &listen)?;
                processes.push(process);
                (Protocol::Fastcgi, address)
            }
            _ if setup.transport == Transport::Kept => (Protocol::FastcgiKept, listen),
            _ => (Protocol::Fastcgi, listen),
        };
        let intermediaries = processes.len();
        processes.push(application);
        Ok(Self::of(
            setup,
            protocol,
            address,
            processes,
            intermediaries,
        ))
    }

    /// The first processes, of this number, are between client and application; the others are the application.
    fn of(
        setup: Setup,
        protocol: Protocol,
        address: Address,
        processes: Vec<Process>,
        intermediaries: usize,
    ) -> Self {
        let ids: Vec<u32> = processes.iter().map(Process::id).collect();
        Self {
            name: setup.name(),
            endpoint: Endpoint { protocol, address },
            intermediary: ids[..intermediaries].to_vec(),
            application: ids[intermediaries..].to_vec(),
            php_below: false,
            _processes: processes,
        }
    }

    /// The usage between client and application, and that of the application; `None` for what has no processes.
    pub(crate) fn usage(&self) -> anyhow::Result<(Option<Usage>, Option<Usage>)> {
        let of = |processes: &[u32]| {
            (!processes.is_empty())
                .then(|| usage(processes))
                .transpose()
        };
        if self.php_below && !self.intermediary.is_empty() {
            let (server, php) = usage_apart(&self.intermediary)?;
            return Ok((Some(server), php));
        }
        Ok((of(&self.intermediary)?, of(&self.application)?))
    }

    /// The same programs, called by another protocol, with a name of its own.
    pub(crate) fn by(&self, protocol: Protocol, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: Endpoint {
                protocol,
                address: self.endpoint.address.clone(),
            },
            intermediary: self.intermediary.clone(),
            application: self.application.clone(),
            php_below: false,
            _processes: Vec::new(),
        }
    }

    /// Another gRPC server, which is running already.
    pub(crate) fn peer(name: &str, address: &str, process: Option<u32>) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: Endpoint {
                protocol: Protocol::Grpc,
                address: Address::Tcp(address.to_owned()),
            },
            intermediary: process.into_iter().collect(),
            application: Vec::new(),
            php_below: true,
            _processes: Vec::new(),
        }
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
