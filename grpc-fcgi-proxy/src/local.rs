//! The services that the proxy answers itself.

use crate::health::pb::health_server::HealthServer;
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;

use crate::health::HealthService;
use crate::reflection::{self, Reflection, V1, V1ALPHA};

const HEALTH: &str = "grpc.health.v1.Health";

/// Those services.
#[derive(Clone, Debug)]
pub struct Local {
    /// `grpc.health.v1.Health`.
    pub health: HealthServer<HealthService>,
    /// `grpc.reflection.v1.ServerReflection` and its predecessor; the application may have them instead.
    pub reflection: Option<ServerReflectionServer<Reflection>>,
}

impl Local {
    /// Answers the request, or gives it back.
    ///
    /// # Errors
    ///
    /// If the path is of none of these services.
    pub async fn serve(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Request<Incoming>> {
        match (service(request.uri().path()), &self.reflection) {
            (HEALTH, _) => Ok(call(self.health.clone(), request).await),
            (V1, Some(reflection)) => Ok(call(reflection.clone(), request).await),
            (V1ALPHA, Some(reflection)) => {
                reflection::rename_to_v1(request.uri_mut());
                Ok(call(reflection.clone(), request).await)
            }
            _ => Err(request),
        }
    }
}

fn service(path: &str) -> &str {
    let service = path.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    service.map_or("", |(service, _)| service)
}

/// The generated services are always ready, and never fail.
async fn call<S>(mut service: S, request: Request<Incoming>) -> Response<Body>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = std::convert::Infallible>,
{
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
