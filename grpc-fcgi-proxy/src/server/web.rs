//! gRPC-Web: calls of browsers, over HTTP/1.1 too.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>. A call becomes an ordinary one on its way in, and its
//! answer's trailers a frame of the body on its way out; that is tonic-web's. Here is only for whom.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version, header};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::call::{Answer, RequestBody};
use grpc_wire::status::{GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS};

/// How long a browser may remember what it has asked; Chromium takes no more.
const MAX_AGE: Duration = Duration::from_secs(2 * 3600);
/// Any other header field, for browsers that know it; the names besides are for those that do not.
const ANY: HeaderName = HeaderName::from_static("*");

/// Who is served.
#[derive(Args, Clone, Debug, Default)]
pub struct WebFlags {
    /// Serve gRPC-Web too, binary and text, over HTTP/1.1 and HTTP/2
    #[arg(long, env = "GRPC_FCGI_PROXY_GRPC_WEB")]
    pub grpc_web: bool,

    /// Origin of pages whose scripts may call by gRPC-Web, such as `https://shop.example`, or * for any [default: only
    /// the proxy's own]; repeatable, or separated by commas
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "GRPC_FCGI_PROXY_GRPC_WEB_ORIGIN",
        value_delimiter = ',',
        requires = "grpc_web"
    )]
    pub grpc_web_origin: Vec<Origin>,
}

/// Where a page is from, as a browser names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .and_then(|host| host.parse::<Authority>().ok())
            .filter(|host| !host.as_str().contains('@'));
        match HeaderValue::from_str(&text) {
            Ok(value) if text == "*" || host.is_some() => Ok(Self(value)),
            _ => Err("it takes an origin such as `https://shop.example`, or *".to_owned()),
        }
    }
}

impl WebFlags {
    /// What they ask for.
    #[must_use]
    pub fn web(&self) -> Option<Web> {
        self.grpc_web.then(|| Web { cors: self.cors() })
    }

    fn cors(&self) -> CorsLayer {
        let origins = self.grpc_web_origin.iter().map(|origin| origin.0.clone());
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
}

/// Serves gRPC-Web.
#[derive(Clone, Debug)]
pub struct Web {
    cors: CorsLayer,
}

impl Web {
    /// Whether a request is for it: all of HTTP/1.1 is, be it only to be refused.
    #[must_use]
    pub fn is_for<B>(&self, request: &Request<B>) -> bool {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        request.version() != Version::HTTP_2
            || request.method() == Method::OPTIONS
            || content_type
                .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc-web"))
    }

    /// Serves it by what serves the ordinary call.
    pub async fn serve<F>(
        &self,
        request: Request<RequestBody>,
        call: impl Fn(Request<RequestBody>) -> F,
    ) -> Response<Answer>
    where
        F: Future<Output = Response<Answer>>,
    {
        let call = service_fn(async |request: Request<tonic::body::Body>| {
            Ok::<_, Infallible>(call(request.map(RequestBody::from)).await)
        });
        let web = self.cors.layer(GrpcWebLayer::new().layer(call));
        match web.oneshot(request).await {
            Ok(response) => response.map(Answer::from),
            Err(never) => match never {},
        }
    }
}
