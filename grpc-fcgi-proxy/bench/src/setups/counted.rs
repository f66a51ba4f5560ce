//! The proxy with resident workers that are recycled, and handlers that count their calls in a database.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{free_address, free_path};
use super::backend::{Backend, WORKERS};
use super::paths::{Paths, text};
use super::process::Process;
use super::setup::Transport;
use super::{applications, proxy};

const FILES: &str = "soak";

/// The programs, which end with this.
#[derive(Debug)]
pub(crate) struct Counted {
    /// The proxy's address, as HOST:PORT.
    pub(crate) address: String,
    /// That of its `/metrics`.
    pub(crate) metrics: String,
    dsn: String,
    /// The script that creates and prints the table.
    script: PathBuf,
    proxy: Process,
    php_fpm: Process,
}

/// How often an id was counted, and by which process last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) times: u64,
    pub(crate) process: u32,
}

impl Counted {
    /// Starts them, with an empty database.
    pub(crate) fn start(paths: &Paths) -> anyhow::Result<Self> {
        let dsn = format!("sqlite:{}", text(&paths.database(Backend::Counted)));
        let script = paths.root.join("php/fixtures/soak_table.php");
        table(&script, &dsn, "create")?;
        let listen = Address::Unix(free_path(paths.folder.join(format!("{FILES}.sock")))?);
        // With room for the successor of each worker.
        let php_fpm = applications::start(
            paths,
            Transport::Resident,
            Backend::Counted,
            FILES,
            &listen,
            2 * WORKERS,
        )?;
        let metrics = free_address()?;
        let (proxy, address) = proxy::start_recycling(paths, FILES, &listen, &metrics, WORKERS)?;
        Ok(Self {
            address: proxy::strip(&address),
            metrics: proxy::strip(&metrics),
            dsn,
            script,
            proxy,
            php_fpm,
        })
    }

    /// The process of the proxy.
    pub(crate) fn proxy(&self) -> u32 {
        self.proxy.id()
    }

    /// The process of php-fpm's master.
    pub(crate) fn php_fpm(&self) -> u32 {
        self.php_fpm.id()
    }

    /// All ids that the handlers have counted.
    pub(crate) fn counts(&self) -> anyhow::Result<HashMap<u64, Count>> {
        let text = table(&self.script, &self.dsn, "print")?;
        text.lines()
            .map(|line| {
                let mut numbers = line.split(' ').map(str::parse::<u64>);
                let mut next = || numbers.next().context("a row has three numbers");
                let (id, times, process) = (next()??, next()??, next()??);
                let process = process.try_into()?;
                Ok((id, Count { times, process }))
            })
            .collect()
    }
}

fn table(script: &PathBuf, dsn: &str, task: &str) -> anyhow::Result<String> {
    let output = Command::new("php8.2")
        .arg(script)
        .args([dsn, task])
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {error}", text(script));
    Ok(String::from_utf8(output.stdout)?)
}
