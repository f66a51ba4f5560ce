//! Reports all users with their orders, as JSON over HTTP/1.1, and serves the pages of the shop.
//!
//! `http` routes, `index` serves the report within the limits of `extent`, `report` builds it, `peers` calls the user and
//! order services, and `shop` contains the pages. The common base of the services is `chassis`.

mod extent;
mod http;
mod index;
mod peers;
mod report;
mod shop;

use std::time::Duration;

use axum::http::uri::Authority;
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

use crate::{
    peers::Peers,
    shop::{Mesh, Sources},
};

/// The frontend of the sample application: reports all users with their orders, as JSON over HTTP, and serves the pages
/// /shop and /shop/mesh.
#[derive(Debug, Clone, Parser)]
#[command(name = "frontend", version)]
pub struct Config {
    /// The flags of its server.
    #[command(flatten)]
    pub listen: Listen,

    /// Address for calls to the user and order services
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7070")]
    endpoint: Peer,

    /// How long a request may take, including the calls made for it
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    timeout: Duration,

    /// Name of Prometheus in the mesh, for the map in /shop/mesh: what a call to the endpoint has as its authority
    #[arg(long, value_name = "NAME", default_value = "prometheus")]
    prometheus_authority: Authority,

    /// Address of the administration interface of the pod's Envoy, which the map is read from without Prometheus
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8001")]
    envoy_admin: Peer,
}

/// The service cannot start.
#[derive(Debug, Error)]
pub enum FrontendError {
    /// The port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A bug: a metric is invalid.
    #[error("cannot register the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves until `stop` is cancelled.
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
    let mesh = Mesh::new(Sources {
        prometheus: config.endpoint.channel_to(config.prometheus_authority),
        envoy: config.envoy_admin.channel(),
    });
    let router = http::router(peers, mesh, config.timeout, registry)?;
    tracing::info!(address = %config.listen.address, endpoint = %config.endpoint, "serving");
    let drain = config.listen.drain_timeout;
    listen::serve(listener, Protocol::Http1, router, stop, drain).await;
    tracing::info!("stopped");
    Ok(())
}
