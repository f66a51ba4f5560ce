//! gRPC-Web: calls of browsers, over HTTP/1.1 too.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>. tonic-web turns a request into an ordinary call, and
//! the response's trailers into a frame of its body. This module selects those requests, and handles CORS.

use std::convert::Infallible;
use std::time::Duration;

use grpc_wire::status::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};
use http::{HeaderMap, HeaderName, Method, Request, Response, Version, header};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::call::{self, RequestBody, ResponseBody};
use crate::config::WebFlags;

/// The content types that are gRPC-Web.
const CONTENT_TYPES: [&[u8]; 4] = [
    b"application/grpc-web",
    b"application/grpc-web+proto",
    b"application/grpc-web-text",
    b"application/grpc-web-text+proto",
];
/// How long a browser may cache the result of a preflight request; Chromium's maximum.
const MAX_AGE: Duration = Duration::from_secs(2 * 3600);
/// Exposes every header field to scripts, in browsers that support it; the names beside it are for the others.
const ANY: HeaderName = HeaderName::from_static("*");

/// Serves gRPC-Web.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    cors: CorsLayer,
}

fn cors(flags: &WebFlags) -> CorsLayer {
    let origins = flags.grpc_web_origin.iter().map(|origin| origin.0.clone());
    let origin = if origins.clone().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins)
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS, ANY])
        .max_age(MAX_AGE)
}

impl Web {
    /// `None` if gRPC-Web is not served.
    pub(crate) fn new(flags: &WebFlags) -> Option<Self> {
        flags.grpc_web.then(|| Self { cors: cors(flags) })
    }

    /// Whether a request passes through gRPC-Web: every HTTP/1.1 request does, even if it is then refused.
    pub(super) fn is_for<B>(&self, request: &Request<B>) -> bool {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        request.version() != Version::HTTP_2
            || request.method() == Method::OPTIONS
            || content_type
                .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc-web"))
    }

    /// Serves a request. `call` serves the ordinary call that it is translated to.
    pub(super) async fn serve<F>(
        &self,
        request: Request<RequestBody>,
        call: impl Fn(Request<RequestBody>) -> F,
    ) -> Response<ResponseBody>
    where
        F: Future<Output = Response<ResponseBody>>,
    {
        let call = service_fn(async |request: Request<tonic::body::Body>| {
            Ok::<_, Infallible>(call(request.map(RequestBody::from)).await)
        });
        let web = GrpcWebLayer::new().layer(call);
        // tonic-web itself answers 400 to what is not gRPC-Web.
        let checked = service_fn(async |request| match call::refusal(&request, is_grpc_web) {
            Some(refused) => Ok(refused),
            None => Ok::<_, Infallible>(web.clone().oneshot(request).await?.map(Into::into)),
        });
        match self.cors.layer(checked).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn is_grpc_web(fields: &HeaderMap) -> bool {
    let content_type = fields.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| CONTENT_TYPES.contains(&value.as_bytes()))
}
