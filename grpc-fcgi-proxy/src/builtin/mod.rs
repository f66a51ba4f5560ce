//! The services that the proxy answers itself: health, reflection and load reports.

pub(crate) mod descriptors;
pub mod health;
mod index;
mod load_reports;
mod reflection;

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use prost::{DecodeError, Message};
use prost_types::FileDescriptorSet;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use self::descriptors::{Descriptors, MethodKinds};
use self::health::HealthService;
use self::health::pb::health_server::HealthServer;
use self::load_reports::{LoadReportService, OPEN_RCA};
use self::reflection::{Reflection, V1, V1ALPHA};
use crate::binding::load_report::xds;
use crate::binding::load_report::xds::service::orca::v3::open_rca_service_server::OpenRcaServiceServer;
use crate::load_reports::LoadReports;

const HEALTH: &str = "grpc.health.v1.Health";

/// The largest request in bytes that these services accept: a request is little more than a name.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// The services.
#[derive(Clone, Debug)]
pub(crate) struct Builtin {
    health: HealthServer<HealthService>,
    /// `None` leaves reflection to the application.
    reflection: Option<ServerReflectionServer<Reflection>>,
    /// `None` leaves load reports to the application.
    load_reports: Option<OpenRcaServiceServer<LoadReportService>>,
}

/// One of the services.
#[derive(Debug)]
pub(crate) enum BuiltinService {
    Health(HealthServer<HealthService>),
    Reflection(ServerReflectionServer<Reflection>),
    LoadReports(OpenRcaServiceServer<LoadReportService>),
}

impl Builtin {
    /// The services report on `descriptors`, and on php-fpm's health in `healthy`.
    pub(crate) fn new(
        descriptors: Descriptors,
        reflects: bool,
        load_reports: Option<Arc<LoadReports>>,
        healthy: watch::Receiver<bool>,
    ) -> Result<(Self, MethodKinds), DecodeError> {
        let own = Self::contracts(load_reports.is_some());
        let reflection = reflects.then(|| Reflection::server(descriptors.index, own));
        let running = healthy.clone();
        let builtin = Self {
            health: HealthService::server(healthy, descriptors.services),
            reflection: reflection.transpose()?,
            load_reports: load_reports.map(|reports| LoadReportService::server(reports, running)),
        };
        let mut kinds = descriptors.kinds;
        builtin.add_kinds(&mut kinds)?;
        Ok((builtin, kinds))
    }

    /// The service that the path names, if the proxy answers it itself.
    pub(crate) fn service(&self, path: &str) -> Option<BuiltinService> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        match service {
            HEALTH => Some(BuiltinService::Health(self.health.clone())),
            V1 | V1ALPHA => self.reflection.clone().map(BuiltinService::Reflection),
            OPEN_RCA => self.load_reports.clone().map(BuiltinService::LoadReports),
            _ => None,
        }
    }

    /// The contracts of the services besides reflection, as encoded descriptor sets.
    fn contracts(load_reports: bool) -> impl Iterator<Item = &'static [u8]> {
        let load_reports = load_reports.then_some(xds::FILE_DESCRIPTOR_SET);
        [health::pb::FILE_DESCRIPTOR_SET]
            .into_iter()
            .chain(load_reports)
    }

    /// Those of reflection are known even where the application answers: its clients may never end their requests.
    fn add_kinds(&self, kinds: &mut MethodKinds) -> Result<(), DecodeError> {
        let own = Self::contracts(self.load_reports.is_some());
        for set in reflection::CONTRACTS.into_iter().chain(own) {
            kinds.add(&FileDescriptorSet::decode(set)?);
        }
        Ok(())
    }
}

impl BuiltinService {
    /// Serves the call.
    pub(crate) async fn serve(self, mut request: Request<Body>) -> Response<Body> {
        match self {
            Self::Health(service) => call(service, request).await,
            Self::Reflection(service) => {
                reflection::rename_to_v1(request.uri_mut());
                call(service, request).await
            }
            Self::LoadReports(service) => call(service, request).await,
        }
    }
}

/// The generated services are always ready, and never fail.
async fn call<S>(mut service: S, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
