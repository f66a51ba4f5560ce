//! The service grpc.health.v1.Health: it reports whether php-fpm is healthy.
//!
//! The proxy itself answers: a check must neither wait for a worker nor fail because none is free.

use std::collections::BTreeSet;

use futures_util::stream::{BoxStream, StreamExt, unfold};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use self::pb::health_check_response::ServingStatus;
use self::pb::health_server::{Health, HealthServer};
use self::pb::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};

/// Generated from the contract.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod pb {
    tonic::include_proto!("grpc.health.v1");

    /// The contract as a FileDescriptorSet.
    pub const FILE_DESCRIPTOR_SET: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/health.binpb"));
}

/// gRFC A90: "The maximum number of services to return is 100; responses exceeding this limit will result in a
/// RESOURCE_EXHAUSTED error."
const MAX_LISTED: usize = 100;

/// The service. The streams of Watch end when the sender of `healthy` is dropped.
#[derive(Debug)]
pub(crate) struct HealthService {
    healthy: watch::Receiver<bool>,
    services: BTreeSet<String>,
}

impl HealthService {
    /// Reports on these services, and on "", which is the server itself.
    pub(crate) fn server(
        healthy: watch::Receiver<bool>,
        mut services: BTreeSet<String>,
    ) -> HealthServer<Self> {
        services.insert(String::new());
        HealthServer::new(Self { healthy, services })
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.services.contains(&request.get_ref().service) {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(response(state(*self.healthy.borrow()))))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        if self.services.len() > MAX_LISTED {
            return Err(Status::resource_exhausted("too many services to list"));
        }
        let now = response(state(*self.healthy.borrow()));
        let status = |service: &String| (service.clone(), now);
        let statuses = self.services.iter().map(status).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    /// health-checking.md: "The server will immediately send back a message indicating the current serving status.
    /// It will then subsequently send a new message whenever the service's serving status changes."
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.services.contains(&request.get_ref().service);
        let states = unfold(
            Some(Watch {
                healthy: self.healthy.clone(),
                known,
                last: None,
            }),
            |watch| async { watch?.next().await },
        );
        Ok(Response::new(states.boxed()))
    }
}

struct Watch {
    healthy: watch::Receiver<bool>,
    known: bool,
    last: Option<ServingStatus>,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Option<Self>)> {
        loop {
            let status = if self.known {
                state(*self.healthy.borrow_and_update())
            } else {
                ServingStatus::ServiceUnknown
            };
            if self.last.replace(status) != Some(status) {
                return Some((Ok(response(status)), Some(self)));
            }
            if self.healthy.changed().await.is_err() {
                // An open stream would delay the drain.
                return Some((
                    Err(Status::unavailable("the server is shutting down")),
                    None,
                ));
            }
        }
    }
}

fn state(healthy: bool) -> ServingStatus {
    if healthy {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
