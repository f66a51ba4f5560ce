//! Shows all users with their orders, as JSON over HTTP/1.1.
//!
//! `http` answers requests, `report` puts the answer together, and `peers` asks the user and
//! order services for its parts. What every service needs is in `chassis`.

mod http;
mod peers;
mod report;

use std::time::Duration;

use chassis::{
    admin,
    channel::Peer,
    config::{Listen, duration},
    listen::{self, BindError, Protocol},
};
use clap::Parser;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::peers::Peers;

/// Shows all users of the sample application with their orders.
#[derive(Debug, Clone, Parser)]
#[command(name = "frontend", version)]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub listen: Listen,

    /// Address through which the user and order services are called
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7070")]
    endpoint: Peer,

    /// How long a request may take, with all the calls made for it
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    timeout: Duration,
}

/// Why the service ended, or never began.
#[derive(Debug, Error)]
pub enum FrontendError {
    /// The port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A mistake in the program.
    #[error("cannot register the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves until told to stop.
///
/// # Errors
///
/// See [`FrontendError`].
pub async fn run(
    config: Config,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), FrontendError> {
    let registry = admin::registry()?;
    let peers = Peers::new(config.endpoint.channel());
    let router = http::router(peers, config.timeout, registry)?;
    tracing::info!(address = %config.listen.address, endpoint = %config.endpoint, "serving");
    let drain = config.listen.drain_timeout;
    listen::serve(listener, Protocol::Http1, router, stop, drain).await;
    tracing::info!("stopped");
    Ok(())
}
