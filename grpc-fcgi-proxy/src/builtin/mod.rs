//! The services that the proxy answers itself.

pub mod descriptors;
pub mod health;
pub mod index;
pub mod reflection;

use self::health::pb::health_server::HealthServer;
use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::BodyExt;
use prost::{DecodeError, Message};
use prost_types::FileDescriptorSet;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use self::descriptors::MethodKinds;
use self::health::HealthService;
use self::reflection::{Reflection, V1, V1ALPHA};
use crate::call::RequestBody;
use crate::call::error::CallError;

const HEALTH: &str = "grpc.health.v1.Health";

/// Bytes of a message that these services take: what they are asked for is a name.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Those services.
#[derive(Clone, Debug)]
pub struct Local {
    /// `grpc.health.v1.Health`.
    pub health: HealthServer<HealthService>,
    /// `grpc.reflection.v1.ServerReflection` and its predecessor; the application may have them instead.
    pub reflection: Option<ServerReflectionServer<Reflection>>,
}

/// One of them.
#[derive(Debug)]
pub enum LocalService {
    /// `grpc.health.v1.Health`.
    Health(HealthServer<HealthService>),
    /// `grpc.reflection.v1.ServerReflection`, or v1alpha.
    Reflection(ServerReflectionServer<Reflection>),
}

impl Local {
    /// The service that the path is of.
    #[must_use]
    pub fn service(&self, path: &str) -> Option<LocalService> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        match service {
            HEALTH => Some(LocalService::Health(self.health.clone())),
            V1 | V1ALPHA => self.reflection.clone().map(LocalService::Reflection),
            _ => None,
        }
    }

    /// Adds what kind their methods are.
    ///
    /// # Errors
    ///
    /// If their own descriptors can't be read.
    pub fn add_kinds(&self, kinds: &mut MethodKinds) -> Result<(), DecodeError> {
        kinds.add(&FileDescriptorSet::decode(health::pb::FILE_DESCRIPTOR_SET)?);
        if self.reflection.is_some() {
            for set in reflection::CONTRACTS {
                kinds.add(&FileDescriptorSet::decode(set)?);
            }
        }
        Ok(())
    }
}

impl LocalService {
    /// Answers the request.
    pub async fn serve(self, mut request: Request<RequestBody>) -> Response<Body> {
        match self {
            Self::Health(service) => call(service, request).await,
            Self::Reflection(service) => {
                reflection::rename_to_v1(request.uri_mut());
                call(service, request).await
            }
        }
    }
}

/// The generated services are always ready, and never fail.
async fn call<S>(mut service: S, request: Request<RequestBody>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let status = |error: CallError| tonic::Status::from(error.status());
    let request = request.map(|body| Body::new(body.map_err(status)));
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
