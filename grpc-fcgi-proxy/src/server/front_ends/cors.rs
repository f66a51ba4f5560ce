//! Which pages may call from a browser: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use std::time::Duration;

use grpc_wire::status::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};
use http::{HeaderName, Method, Request, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::rest::Rest;
use crate::config::WebFlags;

/// How long a browser may cache the result of a preflight request; Chromium's maximum.
const MAX_AGE: Duration = Duration::from_secs(2 * 3600);
/// Exposes every header field to scripts, in browsers that support it; the names beside it are for the others.
const ANY: HeaderName = HeaderName::from_static("*");

/// Whether a page has made a request, or a cache may store the response, which must then name what it depends on: that of a
/// POST it does not store.
pub(super) fn concerns<B>(request: &Request<B>) -> bool {
    request.method() != Method::POST || request.headers().contains_key(header::ORIGIN)
}

pub(super) fn layer(flags: &WebFlags, rest: Option<&Rest>) -> CorsLayer {
    let origins = flags.allow_origin.iter().map(|origin| origin.0.clone());
    let origin = if origins.clone().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins)
    };
    let mut methods = vec![Method::POST];
    methods.extend(flags.connect.then_some(Method::GET));
    for verb in rest.into_iter().flat_map(Rest::verbs) {
        if !methods.contains(&verb) {
            methods.push(verb);
        }
    }
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(methods)
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS, ANY])
        .max_age(MAX_AGE)
}
