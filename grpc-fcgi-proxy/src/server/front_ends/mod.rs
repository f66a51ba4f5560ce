//! The protocols besides gRPC over HTTP/2 that a client may speak. Each turns a request into an ordinary call, and the
//! response of that into its own.

mod codec;
mod connect;
mod cors;
mod grpc_json;
mod web;

use std::convert::Infallible;
use std::sync::Arc;

use grpc_wire::content_type;
use http::{Request, Response, Version, header};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use transcoding::Schema;

use self::codec::Json;
use self::connect::Connect;
use crate::call::{self, Bridge, RequestBody, ResponseBody};
use crate::config::WebFlags;

/// What is served besides gRPC.
#[derive(Debug)]
pub(crate) struct FrontEnds {
    cors: CorsLayer,
    web: bool,
    connect: Option<Connect>,
    schema: Arc<Schema>,
    bridge: Arc<Bridge>,
}

impl FrontEnds {
    pub(crate) fn new(flags: &WebFlags, schema: Arc<Schema>, bridge: Arc<Bridge>) -> Self {
        Self {
            cors: cors::layer(flags),
            web: flags.grpc_web,
            connect: flags.connect.then(|| Connect::new(&schema, &bridge)),
            schema,
            bridge,
        }
    }

    /// Whether HTTP/1.1 is served, which gRPC does not use.
    pub(super) fn use_http1(&self) -> bool {
        self.web || self.connect.is_some()
    }

    /// Whether a request is not gRPC over HTTP/2 with protobuf.
    pub(super) fn are_for<B>(&self, request: &Request<B>) -> bool {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        if content_type == Some(&content_type::GRPC) && request.version() == Version::HTTP_2 {
            return false;
        }
        self.use_http1() || grpc_json::is_json(request)
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
        if !self.use_http1() {
            return self.translate(request, &call).await;
        }
        let translated =
            service_fn(async |request| Ok::<_, Infallible>(self.translate(request, &call).await));
        match self.cors.layer(translated).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn translate<F>(
        &self,
        request: Request<RequestBody>,
        call: &impl Fn(Request<RequestBody>) -> F,
    ) -> Response<ResponseBody>
    where
        F: Future<Output = Response<ResponseBody>>,
    {
        if let Some(connect) = &self.connect
            && connect::is_connect(&request)
        {
            return connect.serve(request, call).await;
        }
        let path = request.uri().path();
        let json = |path| Json::of(&self.schema, &self.bridge, path);
        if self.web && web::is_web(&request) {
            return match json(path).filter(|_| web::is_json(&request)) {
                Some(json) => {
                    let call = |request| grpc_json::serve(request, json.clone(), call);
                    web::serve(request, &call).await
                }
                None if web::is_json(&request) => call::refuse(&request),
                None => web::serve(request, call).await,
            };
        }
        if request.version() != Version::HTTP_2 {
            return call::refuse(&request);
        }
        match json(path).filter(|_| grpc_json::is_json(&request)) {
            Some(json) => grpc_json::serve(request, json, call).await,
            None => call(request).await,
        }
    }
}
