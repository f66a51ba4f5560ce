//! The proxy with resident workers, run by Callgrind, which counts its instructions in user space.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::free_path;
use super::backend::{Backend, WORKERS};
use super::paths::Paths;
use super::process::Process;
use super::setup::Setup;
use super::{applications, proxy};

const FILES: &str = "instructions";

/// The programs, which end with this.
#[derive(Debug)]
pub(crate) struct CountingSetup {
    pub(crate) address: Address,
    counts: PathBuf,
    proxy: Process,
    _php_fpm: Process,
}

impl CountingSetup {
    pub(crate) fn start(paths: &Paths, setup: Setup) -> anyhow::Result<Self> {
        let listen = Address::Unix(free_path(paths.folder.join(format!("{FILES}.sock")))?);
        let (transport, backend) = (setup.transport, Backend::PhpFpm);
        let php_fpm = applications::start(paths, transport, backend, FILES, &listen, WORKERS)?;
        let counts = paths.folder.join(format!("{FILES}.callgrind"));
        let (proxy, address) = proxy::start_counting(paths, FILES, &listen, setup, &counts)?;
        Ok(Self {
            address,
            counts,
            proxy,
            _php_fpm: php_fpm,
        })
    }

    /// Ends the proxy. Returns the instructions of its whole life.
    pub(crate) fn end(self) -> anyhow::Result<f64> {
        drop(self.proxy);
        let counts = fs::read_to_string(&self.counts)?;
        let total = counts.lines().find_map(|line| line.strip_prefix("totals:"));
        Ok(total.context("Callgrind counted nothing")?.trim().parse()?)
    }
}
