//! Measures grpc-fcgi-proxy beside other software that does the same job, and against the limit. Run it with
//! `script/bench`.
//!
//! - [`setups`]: the programs that are measured, started here, each with an application of its own.
//! - [`load`]: calls them, and checks each response.
//! - [`parts`]: the measurements, in turns.
//! - [`figures`] and [`report`]: the results, as data, and as tables, plots and marks.
//! - [`list`]: a message that is translated to JSON and back, without a proxy.
//! - [`soak`]: a long load of workers that are killed, reloaded and replaced.
//! - [`sequential`]: the calls of the sample application's report, one after the other.
//! - [`application`], [`echo`] and [`relay`]: servers, as programs of their own.

mod application;
mod arguments;
mod echo;
mod figures;
mod list;
mod load;
mod parts;
mod progress;
mod relay;
mod report;
mod sequential;
mod setups;
mod soak;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;

use crate::arguments::{Command, LoadFlags};
use crate::load::{CheckedCall, Endpoint, block_on};
use crate::progress::progress;

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Run(flags) => parts::run(&flags),
        Command::Application { listen } => flatten(block_on(application::run(&listen))),
        Command::Tonic { listen } => flatten(serve_tonic(listen)),
        Command::Relay {
            listen,
            application,
        } => flatten(block_on(relay::run(listen, &application))),
        Command::Load(flags) => load_only(&flags),
        Command::Sequential { address, reports } => {
            flatten(block_on(sequential::run(&address, reports)))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn flatten(result: anyhow::Result<anyhow::Result<()>>) -> anyhow::Result<()> {
    result?
}

/// With a thread for each processor, as a server would have.
fn serve_tonic(listen: std::net::SocketAddr) -> anyhow::Result<anyhow::Result<()>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(echo::run(listen)))
}

fn load_only(flags: &LoadFlags) -> anyhow::Result<()> {
    let endpoint = Endpoint {
        protocol: flags.protocol,
        address: flags.address.clone(),
    };
    let time = Duration::from_secs(flags.seconds);
    let call = CheckedCall::trivial(flags.bytes);
    let (mut tally, (), ()) = load::run(&endpoint, &call, flags.shape, time, || ())?;
    let [p50, p99] = tally.percentiles([50, 99]).unwrap_or_default();
    let line = format!(
        "{:.0} req/s, p50 {p50:.0} µs, p99 {p99:.0} µs",
        tally.per_second()
    );
    writeln!(std::io::stdout(), "{line}")?;
    let failure = tally.first_failure().unwrap_or_default();
    ensure!(
        tally.failures() == 0,
        "{} failures, first: {failure}",
        tally.failures()
    );
    Ok(())
}
