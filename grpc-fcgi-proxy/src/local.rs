//! The services that the proxy answers itself.

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_health::pb::health_server::HealthServer;

use crate::health::HealthService;

/// Those services.
#[derive(Clone, Debug)]
pub struct Local {
    /// `grpc.health.v1.Health`.
    pub health: HealthServer<HealthService>,
}

impl Local {
    /// Answers the request, or gives it back.
    ///
    /// # Errors
    ///
    /// If the path is of none of these services.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Request<Incoming>> {
        match service(request.uri().path()) {
            "grpc.health.v1.Health" => Ok(call(self.health.clone(), request).await),
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
