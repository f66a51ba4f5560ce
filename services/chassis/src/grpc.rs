//! A gRPC server: one service, its health service, the auxiliary port, and the shutdown.

use std::{convert::Infallible, fmt::Display, future::Future, sync::Arc, time::Duration};

use axum::{middleware::from_fn_with_state, response::IntoResponse};
use grpc_wire::method::CallKind;
use http::Request;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService, service::Routes};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::Service;

use crate::{
    admin,
    config::{Aux, Listen},
    listen::{self, BindError, Protocol},
    metrics::{GrpcMetrics, HEALTH, MethodLabels},
    observe::observe,
};

/// The ports of a gRPC server.
#[derive(Debug)]
pub struct Listeners {
    /// Accepts calls.
    pub calls: TcpListener,
    /// Serves `/healthz` and `/metrics`.
    pub aux: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(listen: &Listen, aux: &Aux) -> Result<Self, BindError> {
        Ok(Self {
            calls: listen::bind(listen.address).await?,
            aux: listen::bind(aux.aux_address).await?,
        })
    }
}

/// Serves until `stop` is cancelled, then drains: until all calls have finished, or the drain timeout has expired.
/// `/healthz` is 200 while `check` succeeds.
pub(crate) async fn serve<S, C, F, E>(
    service: S,
    methods: &[&'static str],
    registry: Registry,
    check: C,
    listeners: Listeners,
    drain: Duration,
    stop: CancellationToken,
) -> Result<(), prometheus::Error>
where
    S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
    C: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let metrics = Arc::new(GrpcMetrics::new(&registry, known_methods::<S>(methods))?);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<S>().await;
    let calls = Routes::new(service)
        .add_service(health_service)
        .into_axum_router()
        .layer(from_fn_with_state(metrics, observe));
    let aux = admin::router(registry, check);

    tracing::info!(
        address = %address(&listeners.calls),
        aux_address = %address(&listeners.aux),
        "serving {}",
        S::NAME
    );
    // The auxiliary port stays open until the last call has finished.
    let drained = CancellationToken::new();
    tokio::join!(
        listen::serve(listeners.aux, Protocol::Http1, aux, drained.clone(), drain),
        end_health_watches(health, ["", S::NAME], stop.clone()),
        async {
            listen::serve(listeners.calls, Protocol::Http2, calls, stop, drain).await;
            drained.cancel();
        }
    );
    tracing::info!("stopped");
    Ok(())
}

/// Ends the streams of `Watch`, which would otherwise delay the shutdown.
async fn end_health_watches(
    mut health: HealthReporter,
    services: [&str; 2],
    stop: CancellationToken,
) {
    stop.cancelled().await;
    for service in services {
        health
            .set_service_status(service, ServingStatus::NotServing)
            .await;
        health.clear_service_status(service).await;
    }
}

fn known_methods<S: NamedService>(names: &[&'static str]) -> Vec<MethodLabels> {
    let ours = names.iter().map(|name| MethodLabels::unary(S::NAME, name));
    let watch = MethodLabels {
        kind: CallKind::ServerStream,
        ..MethodLabels::unary(HEALTH, "Watch")
    };
    ours.chain([MethodLabels::unary(HEALTH, "Check"), watch])
        .collect()
}

fn address(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|error| error.to_string(), |address| address.to_string())
}
