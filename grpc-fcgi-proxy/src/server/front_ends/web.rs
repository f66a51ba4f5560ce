//! gRPC-Web: calls of browsers, over HTTP/1.1 too.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>. tonic-web turns a request into an ordinary call, and
//! the response's trailers into a frame of its body. This module selects those requests.

use std::convert::Infallible;

use http::{HeaderMap, HeaderValue, Request, Response, header};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt, service_fn};

use crate::binding::dialect::{ClientProtocol, Dialect};
use crate::call::{self, RequestBody, ResponseBody, WebBreak};

/// The content types that are gRPC-Web.
const CONTENT_TYPES: [&[u8]; 6] = [
    b"application/grpc-web",
    b"application/grpc-web+proto",
    b"application/grpc-web-text",
    b"application/grpc-web-text+proto",
    b"application/grpc-web+json",
    b"application/grpc-web-text+json",
];
/// Whether a request is meant for gRPC-Web, even if it is then refused.
pub(super) fn is_web<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc-web"))
}

/// Whether its messages are JSON.
pub(super) fn is_json<B>(request: &Request<B>) -> bool {
    as_protobuf(request).is_some()
}

/// The content type that tonic-web knows, of one whose messages are JSON. To it, messages are bytes.
fn as_protobuf<B>(request: &Request<B>) -> Option<&'static str> {
    match request.headers().get(header::CONTENT_TYPE)?.as_bytes() {
        b"application/grpc-web+json" => Some("application/grpc-web+proto"),
        b"application/grpc-web-text+json" => Some("application/grpc-web-text+proto"),
        _ => None,
    }
}

/// Serves a request. `call` serves the ordinary call that it is translated to.
pub(super) async fn serve<F>(
    mut request: Request<RequestBody>,
    call: &impl Fn(Request<RequestBody>) -> F,
) -> Response<ResponseBody>
where
    F: Future<Output = Response<ResponseBody>>,
{
    // tonic-web itself answers 400 to what is not gRPC-Web.
    if let Some(refused) = call::refusal(&request, is_grpc_web) {
        return refused;
    }
    let json = as_protobuf(&request).and_then(|known| {
        let known = HeaderValue::from_static(known);
        request.headers_mut().insert(header::CONTENT_TYPE, known)
    });
    Dialect::attach(ClientProtocol::GrpcWeb, json.is_some(), &mut request);
    let broken = WebBreak::default();
    let request = request.map(|body| broken.watch(body));
    let call = service_fn(async |request: Request<tonic::body::Body>| {
        let broken = broken.clone();
        Ok::<_, Infallible>(call(request.map(|body| broken.translated(body))).await)
    });
    let web = GrpcWebLayer::new().layer(call);
    let mut response = match web.oneshot(request).await {
        Ok(response) => response.map(ResponseBody::from),
        Err(never) => match never {},
    };
    if let Some(content_type) = json {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
    }
    response
}

fn is_grpc_web(fields: &HeaderMap) -> bool {
    let content_type = fields.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| CONTENT_TYPES.contains(&value.as_bytes()))
}
