//! The service grpc.health.v1.Health, and the state of php-fpm that it tells.
//!
//! It is the proxy that answers: a check must not wait for a worker, nor fail because there is none.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::select_ok;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::StatusCode;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::{Request, Response, Status};

use self::pb::health_check_response::ServingStatus;
use self::pb::health_server::{Health, HealthServer};
use self::pb::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use crate::fastcgi::target::{ConnectError, Target};
use crate::php_fpm::page::{self, WholeError};

/// What is generated from the contract.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod pb {
    tonic::include_proto!("grpc.health.v1");

    /// The contract itself.
    pub const FILE_DESCRIPTOR_SET: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/health.binpb"));
}

/// From one question to php-fpm to the next.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// The ping page needs a worker, so when all are busy its answer takes as long as one needs to become free.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// gRFC A90: "The maximum number of services to return is 100; responses exceeding this limit will result in a
/// RESOURCE_EXHAUSTED error."
const MAX_LISTED: usize = 100;

/// Where php-fpm's state is learned.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Where php-fpm listens; it is well if one of them is.
    pub targets: Vec<Target>,
    /// Its `ping.path`; without one, php-fpm is well if it can be connected to.
    pub ping_path: Option<String>,
}

/// Why php-fpm is not well.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Ping(#[from] WholeError),
    #[error("the ping page answers with HTTP status {0}")]
    Status(StatusCode),
}

impl Probe {
    /// Asks again and again, and tells `serving`.
    pub async fn follow(&self, serving: &watch::Sender<bool>) -> Infallible {
        let mut reported = None;
        loop {
            let result = self.ask().await;
            let well = result.is_ok();
            serving.send_if_modified(|serving| std::mem::replace(serving, well) != well);
            if reported.replace(well) != Some(well) {
                match result {
                    Ok(()) => tracing::info!("php-fpm is well"),
                    Err(error) => tracing::warn!(%error, "php-fpm is not well"),
                }
            }
            sleep(ASK_INTERVAL).await;
        }
    }

    /// All at once; the first that is well is enough.
    async fn ask(&self) -> Result<(), ProbeError> {
        let asked = self
            .targets
            .iter()
            .map(|target| self.ask_one(target).boxed());
        select_ok(asked).await.map(|_| ())
    }

    async fn ask_one(&self, target: &Target) -> Result<(), ProbeError> {
        match &self.ping_path {
            Some(path) => ping(target, path).await,
            None => {
                target.connect(Instant::now()).await?;
                Ok(())
            }
        }
    }
}

async fn ping(target: &Target, path: &str) -> Result<(), ProbeError> {
    let params = page::page(path, "");
    let (answer, _) = page::exchange(target, params, Bytes::new(), ANSWER_TIMEOUT).await?;
    match answer.status() {
        StatusCode::OK => Ok(()),
        status => Err(ProbeError::Status(status)),
    }
}

/// The service. Its stream of a Watch ends when the sender of `serving` is dropped.
#[derive(Debug)]
pub struct HealthService {
    serving: watch::Receiver<bool>,
    services: BTreeSet<String>,
}

impl HealthService {
    /// For these services, and for "", which is the server itself.
    #[must_use]
    pub fn server(
        serving: watch::Receiver<bool>,
        mut services: BTreeSet<String>,
    ) -> HealthServer<Self> {
        services.insert(String::new());
        HealthServer::new(Self { serving, services })
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
        Ok(Response::new(response(state(*self.serving.borrow()))))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        if self.services.len() > MAX_LISTED {
            return Err(Status::resource_exhausted("too many services to list"));
        }
        let now = response(state(*self.serving.borrow()));
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
                serving: self.serving.clone(),
                known,
                last: None,
            }),
            |watch| async { watch?.next().await },
        );
        Ok(Response::new(states.boxed()))
    }
}

struct Watch {
    serving: watch::Receiver<bool>,
    known: bool,
    last: Option<ServingStatus>,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Option<Self>)> {
        loop {
            let status = if self.known {
                state(*self.serving.borrow_and_update())
            } else {
                ServingStatus::ServiceUnknown
            };
            if self.last.replace(status) != Some(status) {
                return Some((Ok(response(status)), Some(self)));
            }
            if self.serving.changed().await.is_err() {
                // A stream that stayed open would hold the drain up.
                return Some((
                    Err(Status::unavailable("the server is shutting down")),
                    None,
                ));
            }
        }
    }
}

fn state(serving: bool) -> ServingStatus {
    if serving {
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
