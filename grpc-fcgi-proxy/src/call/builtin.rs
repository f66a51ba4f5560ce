//! A call of a service that the proxy answers itself.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;

use super::builtin_body::BuiltinBody;
use super::error::CallError;
use super::observed::Observed;
use super::request_body::RequestBody;
use super::response;
use super::response_body::ResponseBody;
use crate::builtin::{BuiltinService, MAX_MESSAGE};

/// Serves the call until its header fields are ready; the body does the rest.
pub(super) async fn run(
    service: BuiltinService,
    mut observed: Observed,
    deadline: Option<Instant>,
    request: Request<RequestBody>,
) -> Response<ResponseBody> {
    let received = Arc::new(AtomicU64::new(0));
    let request = request.map(|body| {
        let body = body.counted(MAX_MESSAGE, Arc::clone(&received));
        Body::new(body.map_err(|error| tonic::Status::from(error.status())))
    });
    let served = service.serve(request);
    let served = match deadline {
        Some(deadline) => timeout_at(deadline, served).await.ok(),
        None => Some(served.await),
    };
    let Some(response) = served else {
        let error = CallError::DeadlineExceeded;
        observed.fail(&error);
        return response::failed(&error);
    };
    observed.set_method_known();
    let (head, body) = response.into_parts();
    let mut body = BuiltinBody::new(body, observed, received, deadline);
    body.end_with(&head.headers);
    Response::from_parts(head, ResponseBody::from(Body::new(body)))
}
