//! The services of the sample application: user and order with SQLite, item behind the proxy with resident workers, and
//! frontend. Calls go through one Envoy, without TLS.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use super::address::{accepts, free_address};
use super::backend::Backend;
use super::paths::{Paths, text};
use super::process::Process;
use super::proxy::strip;
use super::running::RunningSetup;
use super::setup::{Intermediary, Setup, Transport};
use super::{envoy, usage};

/// The services behind frontend, which end with this.
#[derive(Debug)]
pub(crate) struct Shop {
    paths: Paths,
    /// Of Envoy.
    address: Address,
    _services: [Process; 3],
    _item: RunningSetup,
}

/// A frontend, which ends with this.
#[derive(Debug)]
pub(crate) struct Frontend {
    /// Its address, as HOST:PORT.
    pub(crate) address: String,
    process: Process,
}

impl Shop {
    /// Starts them, with databases of their own.
    pub(crate) fn start(paths: &Paths) -> anyhow::Result<Self> {
        // With the front ends, the proxy has item's descriptors: it must know that LookupItems streams.
        let item = Setup::new(Intermediary::Proxy, Transport::Resident, true).with_front_ends();
        let item = RunningSetup::start(paths, item, Backend::PhpFpm)?;
        let (user, user_address) = service(paths, "user", &[])?;
        let endpoint = ["--endpoint".to_owned(), strip(&item.endpoint.address)];
        let (order, order_address) = service(paths, "order", &endpoint)?;
        let routes = [
            ("/user.UserService/", &user_address),
            ("/order.OrderService/", &order_address),
        ];
        let (envoy, address) = envoy::start_router(paths, "shop", &routes)?;
        Ok(Self {
            paths: paths.clone(),
            address,
            _services: [envoy, user, order],
            _item: item,
        })
    }

    /// Replaces all users and orders by this number of orders, of two items each. One user has half of them, and each
    /// other user ten. Returns the number of users.
    pub(crate) fn fill(&self, orders: usize) -> anyhow::Result<usize> {
        let script = self.paths.root.join("php/fixtures/orders.php");
        let databases = ["user", "order"].map(|name| text(&database(&self.paths, name)));
        let output = Command::new("php8.2")
            .arg(&script)
            .args(databases)
            .arg(orders.to_string())
            .output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {error}", text(&script));
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }

    /// Starts a frontend.
    pub(crate) fn frontend(&self) -> anyhow::Result<Frontend> {
        let address = free_address()?;
        let arguments = ["--address", "--endpoint", "--timeout"].into_iter().zip([
            strip(&address),
            strip(&self.address),
            "60s".to_owned(),
        ]);
        let process = start(&self.paths, "frontend", arguments, &address)?;
        Ok(Frontend {
            address: strip(&address),
            process,
        })
    }
}

impl Frontend {
    /// The most resident memory that it has had, in MiB.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<f64> {
        usage::peak(self.process.id())
    }
}

fn service(paths: &Paths, name: &str, more: &[String]) -> anyhow::Result<(Process, Address)> {
    let (address, aux) = (free_address()?, free_address()?);
    let url = format!("sqlite:{}", text(&database(paths, name)));
    let flags = ["--address", "--aux-address", "--database-url"];
    let flags = flags.into_iter().zip([strip(&address), strip(&aux), url]);
    let more = more.chunks(2).map(|pair| (&*pair[0], pair[1].clone()));
    let process = start(paths, name, flags.chain(more), &address)?;
    Ok((process, address))
}

/// A program beside this one.
fn start<'a>(
    paths: &Paths,
    name: &str,
    flags: impl Iterator<Item = (&'a str, String)>,
    address: &Address,
) -> anyhow::Result<Process> {
    let program = env::current_exe()?.with_file_name(name);
    let arguments: Vec<String> = flags
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
    let mut process = Process::start(&paths.folder, name, &program, &arguments)?;
    process.wait_until(|| accepts(address))?;
    Ok(process)
}

fn database(paths: &Paths, service: &str) -> PathBuf {
    paths.folder.join(format!("{service}-of-shop.sqlite"))
}
