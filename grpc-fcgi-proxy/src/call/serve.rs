//! The steps of a call.

use std::pin::pin;
use std::sync::Arc;

use grpc_wire::content_type;
use grpc_wire::method::CallKind;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::bridge::{Bridge, Client};
use super::observed::Observed;
use super::request::{CallRequest, prepare};
use super::request_body::RequestBody;
use super::response;
use super::response_body::ResponseBody;
use super::{builtin, streaming, unary};
use crate::spans::Event;

/// Serves one request.
pub(crate) async fn serve(
    bridge: Arc<Bridge>,
    client: Arc<Client>,
    request: Request<RequestBody>,
) -> Response<ResponseBody> {
    if let Some(response) = refusal(&request, content_type::is_grpc) {
        return response;
    }
    let (mut head, body) = request.into_parts();
    let kind = bridge.kinds.of(head.uri.path());
    let mut observed = Observed::begin(&bridge, &client, &head, kind);
    let call = prepare(&bridge, &mut head, &observed)
        .and_then(|()| CallRequest::read(&bridge, &client, &head, kind, &observed));
    let call = match call {
        Ok(call) => call,
        Err(error) => {
            observed.fail(&error);
            return response::failed(&error);
        }
    };
    let body = bridge.limits.bounded(kind, observed.start(), body);
    let taken = match bridge.builtin.service(head.uri.path()) {
        Some(service) => match bridge.builtin_slots.take(&client.holdings.builtin_calls) {
            Ok(slot) => {
                let (deadline, request) = (call.deadline, Request::from_parts(head, body));
                let response = Box::pin(builtin::run(service, observed, deadline, request)).await;
                return response.map(|body| body.in_slot(slot));
            }
            Err(error) => Err(error),
        },
        None => bridge.slots.take(&client.holdings.calls),
    };
    let slot = match taken {
        Ok(slot) => slot,
        Err(error) => {
            let outcome = bridge.load_reports.end(Err(error), &mut observed, false);
            return response::whole(outcome);
        }
    };
    observed.span().record(Event::Slot);
    let response = match kind {
        CallKind::Unary => {
            let result = {
                let work = pin!(unary::run(&call, &mut observed, body));
                call.in_time(work).await
            };
            response::whole(bridge.load_reports.end(result, &mut observed, false))
        }
        _ => Box::pin(streaming::run(&call, observed, body)).await,
    };
    response.map(|body| body.in_slot(slot))
}

/// The response to a request that is not gRPC.
pub(crate) fn refusal<B>(
    request: &Request<B>,
    is_content_type: impl Fn(&HeaderMap) -> bool,
) -> Option<Response<ResponseBody>> {
    // PROTOCOL-HTTP2: "Method → ":method POST"".
    if request.method() != Method::POST {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED);
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allowed);
        return Some(response);
    }
    let is_ours = is_content_type(request.headers());
    (!is_ours).then(|| refused(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// The response to a request that is of no protocol that is served.
pub(crate) fn refuse<B>(request: &Request<B>) -> Response<ResponseBody> {
    refusal(request, |_| false).unwrap_or_else(|| refused(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// Such a request gets no gRPC status.
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
