//! The Connect protocol: <https://connectrpc.com/docs/protocol/>.
//!
//! A unary call is an ordinary HTTP request, whose body is the message. A stream is one of enveloped messages, which are
//! framed as gRPC's are; its end is a last envelope in the body.

mod error;
mod get;
mod request;
mod stream;
mod unary;

use grpc_wire::method::CallKind;
use grpc_wire::status::Code;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;

use self::error::ConnectError;
use super::codec::Codecs;
use crate::call::{self, RequestBody, ResponseBody};

/// How a Connect request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unary {
        json: bool,
    },
    Stream {
        json: bool,
    },
    /// A unary call whose message is in the query.
    Get,
}

/// Whether a request is Connect's.
pub(super) fn is_connect<B>(request: &Request<B>) -> bool {
    form(request).is_some()
}

fn form<B>(request: &Request<B>) -> Option<Form> {
    if request.method() == Method::GET {
        return get::is_call(request.uri()).then_some(Form::Get);
    }
    match media_type(request.headers())? {
        b"application/proto" => Some(Form::Unary { json: false }),
        b"application/json" => Some(Form::Unary { json: true }),
        b"application/connect+proto" => Some(Form::Stream { json: false }),
        b"application/connect+json" => Some(Form::Stream { json: true }),
        _ => None,
    }
}

/// The content type without its parameters, such as a charset.
fn media_type(fields: &HeaderMap) -> Option<&[u8]> {
    let value = fields.get(header::CONTENT_TYPE)?.as_bytes();
    value
        .split(|byte| *byte == b';')
        .next()
        .map(<[u8]>::trim_ascii)
}

/// Serves a request for which [`is_connect`] is true. `call` serves the ordinary call that it is translated to.
pub(super) async fn serve<F>(
    codecs: &Codecs,
    request: Request<RequestBody>,
    call: &impl Fn(Request<RequestBody>) -> F,
) -> Response<ResponseBody>
where
    F: Future<Output = Response<ResponseBody>>,
{
    let kind = codecs.bridge.kinds.of(request.uri().path());
    let is_unary = kind == CallKind::Unary;
    let limits = &codecs.bridge.limits;
    let request = request.map(|body| limits.bounded(kind, Instant::now(), body));
    let path = request.uri().path();
    let (method, limit) = (codecs.schema.method(path), limits.receive_message);
    let is_post = request.method() == Method::POST;
    match form(&request) {
        Some(Form::Get) if is_unary => match get::Query::read(request.uri()) {
            // A page, a cache or a crawler may repeat a GET.
            Ok(_) if !method.is_some_and(|method| method.no_side_effects) => call::refuse(&request),
            Ok(query) => {
                let json = query.json.then(|| codecs.json(path)).flatten();
                unary::serve(query.into_post(request), json, limit, call).await
            }
            Err(error) => error.response(),
        },
        Some(Form::Unary { json: true } | Form::Stream { json: true })
            if is_post && method.is_none() =>
        {
            no_json()
        }
        // As in Connect's own servers, a stream is asked for by its content type.
        Some(Form::Unary { json }) if is_post && is_unary => {
            let is_known = method.is_some();
            let json = json.then(|| codecs.json(path)).flatten();
            let mut response = unary::serve(request, json, limit, call).await;
            // A path that nothing serves.
            if !is_known && response.status() == StatusCode::NOT_IMPLEMENTED {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            response
        }
        Some(Form::Stream { json }) if is_post && !is_unary => {
            let json = json.then(|| codecs.json(path)).flatten();
            stream::serve(request, json, call).await
        }
        _ => call::refuse(&request),
    }
}

/// JSON can be translated only by a descriptor.
fn no_json() -> Response<ResponseBody> {
    let text = "JSON needs the method in a descriptor set: see --descriptor-set";
    let error = ConnectError::new(Code::Unimplemented, text);
    let mut response = error.response();
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}
