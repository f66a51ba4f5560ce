//! A gRPC server in front, FastCGI to php-fpm behind.
//!
//! # Life of a call
//!
//! 1. [`config`]: flags and environment are checked before anything else happens.
//! 2. [`server`]: accepts the client's connection, and one of the [`workers`] has it from then on; `connection` serves
//!    HTTP/2 on it, inside [`tls`] if that is wanted; [`web`] makes an ordinary call of a browser's.
//! 3. [`call`]: takes one stream of it from its header fields to its trailers; all that follows is called there.
//! 4. [`grpc`]: the client's message, metadata and timeout are decoded.
//! 5. [`route`]: the path names a service and a method.
//! 6. [`params`]: both become CGI meta-variables, and those FastCGI records.
//! 7. [`fcgi`]: the call waits for its place, connects to php-fpm, and runs its exchange.
//! 8. [`response`]: what the script prints becomes status, metadata and message.
//! 9. [`error`]: what went wrong on the way becomes a status.
//!
//! The services that [`local`] has are answered by the proxy itself: [`health`] follows the state of php-fpm,
//! [`reflection`] shows the descriptor sets.
//! What services and methods there are, [`descriptors`] knows.
//!
//! [`check`] does none of this: it tests the configuration and the way to php-fpm.
//!
//! Beside that, [`admin`] is the auxiliary HTTP server, [`metrics`], [`phpfpm`] and [`telemetry`] are what an operator
//! sees.

pub mod admin;
pub mod binding;
pub mod builtin;
pub mod call;
pub mod check;
pub mod config;
pub mod fastcgi;
pub mod metrics;
pub mod php_fpm;
pub mod server;
pub mod telemetry;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::builtin::Local;
use crate::builtin::descriptors::Descriptors;
use crate::builtin::health::{HealthService, Probe};
use crate::builtin::reflection::Reflection;
use crate::call::{Bridge, Places};
use crate::config::Config;
use crate::fastcgi::pool::Pool;
use crate::metrics::Metrics;
use crate::php_fpm::metrics::Scraper;
use crate::server::threads::Workers;

/// Serves gRPC on `grpc`, with the services of these descriptors, and the auxiliary paths on `aux` until `shutdown`,
/// then drains.
///
/// # Errors
///
/// If the metrics can't be set up, or the threads can't be started.
pub async fn run(
    config: Config,
    descriptors: Descriptors,
    tls: Option<TlsAcceptor>,
    grpc: TcpListener,
    aux: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let workers = Workers::start(config.threads())?;
    let metrics = Arc::new(Metrics::new()?);
    let targets = config.fastcgi.targets.clone();
    let pool = Pool::new(
        targets.clone(),
        config.fastcgi.limits(),
        metrics.pool.clone(),
    );
    let admin = Arc::new(Admin {
        pool: Arc::clone(&pool),
        metrics: Arc::clone(&metrics),
        php_fpm: Scraper::new(config.status.pages(&targets)),
        draining: AtomicBool::new(false),
    });
    let probe = Probe {
        targets,
        ping_path: config.ping_path.clone(),
    };
    // Not until php-fpm has been asked.
    let (serving, health) = watch::channel(false);
    let reflects = config.reflection();
    let reflection = reflects.then(|| Reflection::server(descriptors.index));
    let local = Local {
        health: HealthService::server(health, descriptors.services),
        reflection: reflection.transpose()?,
    };
    let mut kinds = descriptors.kinds;
    local.add_kinds(&mut kinds)?;
    let bridge = Arc::new(Bridge {
        pool,
        routes: config.routes(),
        kinds,
        local,
        limits: config.call_limits(),
        places: Places::new(config.clients.max_calls, metrics.clients.calls.clone()),
        metrics,
        stopping: CancellationToken::new(),
    });
    let (web, limits) = (config.web.web(), config.server_limits());
    let (stop_aux, aux_stopped) = oneshot::channel::<()>();
    let draining = Arc::clone(&admin);
    let calls = async {
        let shutdown = async {
            tokio::select! {
                () = shutdown => {}
                never = probe.follow(&serving) => match never {},
            }
            draining.draining.store(true, Ordering::Relaxed);
            serving.send_replace(false);
            // Who watches the health is let go.
            drop(serving);
        };
        server::run(grpc, tls, web, bridge, workers, limits, shutdown).await;
        drop(stop_aux);
    };
    // The auxiliary server answers until the last call has ended, so that the drain can be watched.
    let auxiliary = admin::run(aux, admin, &config.aux_path, async {
        let _ = aux_stopped.await;
    });
    tokio::join!(calls, auxiliary);
    Ok(())
}
