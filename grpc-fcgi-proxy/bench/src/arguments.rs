//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Parser, ValueEnum};
use grpc_fcgi_proxy::fastcgi::target::Target;

use crate::load::{Protocol, Shape};

/// Measures grpc-fcgi-proxy; script/bench is the way to run it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) enum Command {
    /// Starts everything, measures it, and reports
    Run(Box<Run>),
    /// Serves FastCGI trivially, for a proxy of one's own
    Application {
        /// tcp://HOST:PORT or unix:///PATH
        listen: Target,
    },
    /// Serves gRPC trivially, without FastCGI
    Tonic {
        /// Where it listens
        listen: SocketAddr,
    },
    /// Passes bytes on to a FastCGI application, and does nothing else
    Relay {
        /// Where it listens
        listen: SocketAddr,
        /// tcp://HOST:PORT or unix:///PATH
        target: Target,
    },
    /// Loads a server for some time, as for a profile of it
    Load(Load),
    /// Makes the calls of frontend's report one after the other, and prints the seconds of each report
    Sequential {
        /// HOST:PORT of frontend's Envoy
        address: String,
        /// How many
        #[arg(long, default_value_t = 300)]
        reports: usize,
    },
}

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Effort {
    /// About two minutes
    Quick,
    /// About twenty
    Full,
    /// All that full measures, once and briefly: whether it works, not how fast it is
    Check,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Unary calls of the trivial application, by shape
    Unary,
    /// The same with larger messages
    Sizes,
    /// Unary calls of the item application under php-fpm
    Php,
    /// Round trips of bidirectional calls, and one long stream
    Streams,
    /// Resident memory
    Memory,
    /// CPU time of a call as load grows
    Growth,
}

/// What is measured, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// How much time there is
    #[arg(long, value_enum, default_value = "quick")]
    pub(crate) effort: Effort,
    /// Only this part; repeatable
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Part>,
    /// Only targets with this in their name; repeatable
    #[arg(long)]
    pub(crate) target: Vec<String>,
    /// A gRPC proxy that is running, in front of the trivial application or of the item application
    #[arg(long, value_name = "NAME=HOST:PORT[@PROCESS]")]
    pub(crate) peer: Vec<Peer>,
    /// The report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The tables, which go to stdout too
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Folder for the plots
    #[arg(long, value_name = "DIR")]
    pub(crate) plots: Option<PathBuf>,
    /// What was built, for the report
    #[arg(long, default_value = "unknown")]
    pub(crate) revision: String,
    /// Median time of the mesh's report, for the marks, and of the same with one call after the other
    #[arg(long, num_args = 2, value_name = "SECONDS")]
    pub(crate) index: Vec<f64>,
    /// The checkout
    #[arg(long)]
    pub(crate) root: PathBuf,
    /// For configuration, sockets and logs; emptied by whoever made it
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// Program
    #[arg(long)]
    pub(crate) proxy: PathBuf,
    /// Program
    #[arg(long)]
    pub(crate) envoy: PathBuf,
    /// Program
    #[arg(long)]
    pub(crate) nginx: PathBuf,
    /// Whom php-fpm and nginx run as
    #[arg(long)]
    pub(crate) user: String,
    /// The PHP folder of an earlier revision
    #[arg(long, value_name = "DIR")]
    pub(crate) php_before: Option<PathBuf>,
}

/// A load alone.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How it is spoken to
    #[arg(value_enum)]
    pub(crate) protocol: Protocol,
    /// tcp://HOST:PORT or unix:///PATH
    pub(crate) address: Target,
    /// CONNECTIONSxSTREAMS
    #[arg(long, default_value = "8x8")]
    pub(crate) shape: Shape,
    /// Of each message
    #[arg(long, default_value_t = 40)]
    pub(crate) bytes: usize,
    /// How long
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
}

/// Somebody else's proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Whose CPU time and memory are its own.
    pub(crate) process: Option<u32>,
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, rest) = text
            .split_once('=')
            .context("a peer is NAME=HOST:PORT[@PROCESS]")?;
        let (address, process) = match rest.split_once('@') {
            Some((address, id)) => (address, Some(id.parse().context("a process is a number")?)),
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

impl FromStr for Shape {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (connections, streams) = text
            .split_once('x')
            .context("a shape is CONNECTIONSxSTREAMS")?;
        let shape = Self::new(connections.parse()?, streams.parse()?);
        anyhow::ensure!(
            shape.calls() > 0,
            "a shape has one connection and one stream at the least"
        );
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_name_an_address_and_perhaps_a_process() {
        let peer: Peer = "Go=127.0.0.1:8080@17".parse().unwrap();
        assert_eq!(
            (&*peer.name, &*peer.address, peer.process),
            ("Go", "127.0.0.1:8080", Some(17))
        );
        assert_eq!("Go=h:1".parse::<Peer>().unwrap().process, None);
        for wrong in ["Go", "=h:1", "Go=h", "Go=h:1@x"] {
            assert!(wrong.parse::<Peer>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_shape_without_calls_is_refused() {
        assert_eq!("8x2".parse::<Shape>().unwrap(), Shape::new(8, 2));
        assert!("0x1".parse::<Shape>().is_err());
    }
}
