//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Parser, ValueEnum};
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

use crate::load::{Protocol, Shape};

/// Measures grpc-fcgi-proxy. Run it with script/bench.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) enum Command {
    /// Start all setups, measure them, and report
    Run(Box<RunFlags>),
    /// Serve FastCGI with a trivial application, for a proxy of your own
    Application {
        /// The address to listen on: tcp://HOST:PORT or unix:///PATH
        listen: Address,
    },
    /// Serve gRPC with a trivial application, without FastCGI
    Tonic {
        /// The address to listen on
        listen: SocketAddr,
    },
    /// Pass bytes on to a FastCGI application, and do nothing else
    Relay {
        /// The address to listen on
        listen: SocketAddr,
        /// The address of the application: tcp://HOST:PORT or unix:///PATH
        application: Address,
    },
    /// Load a server, for example while it is profiled
    Load(LoadFlags),
    /// Make the calls of frontend's report one after the other, and print the seconds of each report
    Sequential {
        /// The address of frontend's Envoy: HOST:PORT
        address: String,
        /// The number of reports
        #[arg(long, default_value_t = 300)]
        reports: usize,
    },
}

/// How much is measured, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Effort {
    /// The most important shapes and sizes: about four and a half minutes
    Quick,
    /// All shapes, sizes and setups: about 28 minutes
    Full,
    /// All that full measures, once and briefly: checks that it works, not how fast it is
    Check,
}

/// A part that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Unary calls of the trivial application in several shapes
    Unary,
    /// Unary calls of the trivial application with larger messages
    Sizes,
    /// Unary calls of the item application under php-fpm
    Php,
    /// Round trips on bidirectional calls, and one long stream
    Streams,
    /// Resident workers beside calls by themselves
    Resident,
    /// The other protocols beside gRPC, and JSON beside Envoy's transcoder
    FrontEnds,
    /// Long lists, translated between messages and JSON without a proxy
    Lists,
    /// Resident memory
    Memory,
    /// The CPU time of a call as load grows
    Growth,
    /// The sample application's report as its orders grow
    Index,
    /// A long load of resident workers that are killed, reloaded, replaced and recycled
    Soak,
}

/// What to measure, and where to write the figures.
#[derive(Debug, Args)]
pub(crate) struct RunFlags {
    /// How much to measure, and for how long
    #[arg(long, value_enum, default_value = "quick")]
    pub(crate) effort: Effort,
    /// Measure only this part; repeatable
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Part>,
    /// Measure only setups whose name contains this text; repeatable
    #[arg(long, alias = "target", value_name = "TEXT")]
    pub(crate) setup: Vec<String>,
    /// Measure another gRPC server, which is running with the trivial or the item application; repeatable
    #[arg(long, value_name = "NAME=HOST:PORT[@PROCESS]")]
    pub(crate) peer: Vec<Peer>,
    /// The duration of the soak
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) minutes: Option<u64>,
    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the tables, which are printed to stdout as well
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write the plots, as SVG
    #[arg(long, value_name = "DIR")]
    pub(crate) plots: Option<PathBuf>,
    /// The revision that was built, for the report
    #[arg(long, default_value = "unknown")]
    pub(crate) revision: String,
    /// The median times of /index through the mesh, and of the same calls one after the other
    #[arg(long, num_args = 2, value_name = "SECONDS")]
    pub(crate) index: Vec<f64>,
    /// The folder of the checkout
    #[arg(long)]
    pub(crate) root: PathBuf,
    /// An empty folder for configuration, sockets and logs
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// The program of grpc-fcgi-proxy
    #[arg(long)]
    pub(crate) proxy: PathBuf,
    /// The program of Envoy
    #[arg(long)]
    pub(crate) envoy: PathBuf,
    /// The program of nginx
    #[arg(long)]
    pub(crate) nginx: PathBuf,
    /// The user that php-fpm and nginx run as
    #[arg(long)]
    pub(crate) user: String,
    /// The folder php of an earlier revision, to compare PHP's CPU time with
    #[arg(long, value_name = "DIR")]
    pub(crate) php_before: Option<PathBuf>,
}

/// A load without anything around it.
#[derive(Debug, Args)]
pub(crate) struct LoadFlags {
    /// The protocol of the server
    #[arg(value_enum)]
    pub(crate) protocol: Protocol,
    /// The address of the server: tcp://HOST:PORT or unix:///PATH
    pub(crate) address: Address,
    /// Connections, and calls at once on each
    #[arg(long, default_value = "8x8", value_name = "CONNECTIONSxSTREAMS")]
    pub(crate) shape: Shape,
    /// The size of each message
    #[arg(long, default_value_t = 40)]
    pub(crate) bytes: usize,
    /// The duration
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
}

/// Another gRPC server, which is running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Its id, for the CPU time and memory of it and of all processes below it; PHP among those is counted apart.
    pub(crate) process: Option<u32>,
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, rest) = text
            .split_once('=')
            .context("a peer is NAME=HOST:PORT[@PROCESS]")?;
        let (address, process) = match rest.split_once('@') {
            Some((address, id)) => (address, Some(id.parse().context("PROCESS is a number")?)),
            None => (rest, None),
        };
        if name.is_empty() || !address.contains(':') {
            bail!("a peer is NAME=HOST:PORT[@PROCESS]");
        }
        Ok(Self {
            name: name.to_owned(),
            address: address.to_owned(),
            process,
        })
    }
}

impl Peer {
    /// Whether its name contains one of these texts, if there are any.
    pub(crate) fn matches(&self, names: &[String]) -> bool {
        names.is_empty() || names.iter().any(|name| self.name.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_an_address_and_an_optional_process() {
        let peer: Peer = "Go=127.0.0.1:8080@17".parse().unwrap();
        assert_eq!(
            (&*peer.name, &*peer.address, peer.process),
            ("Go", "127.0.0.1:8080", Some(17))
        );
        assert_eq!("Go=h:1".parse::<Peer>().unwrap().process, None);
        for invalid in ["Go", "=h:1", "Go=h", "Go=h:1@x"] {
            assert!(invalid.parse::<Peer>().is_err(), "{invalid}");
        }
    }
}
