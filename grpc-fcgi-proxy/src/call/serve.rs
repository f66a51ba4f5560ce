//! The steps of a call.

use std::pin::pin;
use std::sync::Arc;

use grpc_wire::content_type;
use grpc_wire::method::CallKind;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::bridge::{Bridge, Ends};
use super::observed::Observed;
use super::request::CallRequest;
use super::request_body::RequestBody;
use super::response;
use super::response_body::ResponseBody;
use super::{builtin, streaming, unary};

/// Serves one request.
pub(crate) async fn serve(
    bridge: Arc<Bridge>,
    ends: Arc<Ends>,
    request: Request<RequestBody>,
) -> Response<ResponseBody> {
    // PROTOCOL-HTTP2: "Method → ":method POST"".
    if request.method() != Method::POST {
        return method_not_allowed();
    }
    if !content_type::is_grpc(request.headers()) {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let (head, body) = request.into_parts();
    let kind = bridge.kinds.of(head.uri.path());
    let mut observed = Observed::begin(&bridge.metrics, head.uri.path(), kind, &head.headers);
    let call = match CallRequest::read(&bridge, &ends, &head, kind, observed.start()) {
        Ok(call) => call,
        Err(error) => {
            observed.fail(&error);
            return response::failed(&error);
        }
    };
    let body = match kind {
        CallKind::Unary | CallKind::ServerStream => {
            let limits = &bridge.limits;
            body.bounded(limits.request_idle, observed.start() + limits.request_time)
        }
        // This client may pause between its messages.
        CallKind::ClientStream | CallKind::BidiStream => body,
    };
    if let Some(service) = bridge.builtin.service(head.uri.path()) {
        let (deadline, request) = (call.deadline, Request::from_parts(head, body));
        return Box::pin(builtin::run(service, observed, deadline, request)).await;
    }
    let slot = match bridge.slots.take() {
        Ok(slot) => slot,
        Err(error) => {
            observed.fail(&error);
            return response::failed(&error);
        }
    };
    let response = match kind {
        CallKind::Unary => {
            let result = {
                let work = pin!(unary::run(&call, &mut observed, body));
                call.in_time(work).await
            };
            match result {
                Ok(outcome) => {
                    observed.end(outcome.status.code);
                    response::whole(outcome)
                }
                Err(error) => {
                    observed.fail(&error);
                    response::failed(&error)
                }
            }
        }
        _ => Box::pin(streaming::run(&call, observed, body)).await,
    };
    response.map(|body| body.in_slot(slot))
}

fn method_not_allowed() -> Response<ResponseBody> {
    let mut response = refused(StatusCode::METHOD_NOT_ALLOWED);
    let allowed = HeaderValue::from_static("POST");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// A request that is not gRPC gets no gRPC status.
fn refused(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The future is most of the memory of a waiting call.
    #[test]
    fn the_future_of_a_call_is_small() {
        fn size<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(serve) < 3 * 1024, "{}", size(serve));
    }
}
