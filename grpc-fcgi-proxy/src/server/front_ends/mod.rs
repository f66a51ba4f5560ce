//! The protocols besides gRPC over HTTP/2 that a client may speak. Each turns a request into an ordinary call, and the
//! response of that into its own.

mod answer;
mod codec;
mod connect;
mod cors;
mod encoding;
mod grpc_json;
mod origin;
mod rest;
mod web;

use std::convert::Infallible;
use std::sync::Arc;

use grpc_wire::content_type;
use http::{Method, Request, Response, Version, header};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use transcoding::Schema;
use transcoding::json::Unknown;
use transcoding::rest::NotFound;

use self::codec::Codecs;
use self::origin::Origins;
pub(crate) use self::rest::Rest;
use crate::call::{self, Bridge, RequestBody, ResponseBody};
use crate::config::{UnknownFields, WebFlags};

/// What is served besides gRPC.
#[derive(Debug)]
pub(crate) struct FrontEnds {
    cors: CorsLayer,
    origins: Origins,
    web: bool,
    connect: bool,
    rest: Option<Rest>,
    codecs: Codecs,
}

fn unknown(flags: &WebFlags) -> Unknown {
    match flags.json_unknown_fields.unwrap_or_default() {
        UnknownFields::Refuse => Unknown::Refuse,
        UnknownFields::Drop => Unknown::Drop,
    }
}

impl FrontEnds {
    pub(crate) fn new(
        flags: &WebFlags,
        rest: Option<Rest>,
        schema: Arc<Schema>,
        bridge: Arc<Bridge>,
    ) -> Self {
        Self {
            cors: cors::layer(flags, rest.as_ref()),
            origins: Origins::new(&flags.allow_origin),
            web: flags.grpc_web,
            connect: flags.connect,
            rest,
            codecs: Codecs {
                schema,
                bridge,
                unknown: unknown(flags),
            },
        }
    }

    /// Whether HTTP/1.1 is served, which gRPC does not use.
    pub(super) fn use_http1(&self) -> bool {
        self.web || self.connect || self.rest.is_some()
    }

    /// Whether a request is not gRPC over HTTP/2 with protobuf.
    pub(super) fn are_for<B>(&self, request: &Request<B>) -> bool {
        if request.version() == Version::HTTP_2 && content_type::is_grpc(request.headers()) {
            grpc_json::is_json(request)
        } else {
            self.use_http1()
        }
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
        if !self.use_http1() || is_plain_options(&request) || !cors::concerns(&request) {
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
        let rest = self.rest.as_ref();
        let rest = rest.filter(|_| self.codecs.schema.method(request.uri().path()).is_none());
        if let Some(rest) = rest
            && rest.has(&request)
        {
            return match self.origins.permit(&request) {
                true => rest.serve(&self.codecs, request, call).await,
                false => rest::forbidden(),
            };
        }
        if self.connect && connect::is_connect(&request) {
            return connect::serve(&self.codecs, request, call).await;
        }
        let is_web = self.web && web::is_web(&request);
        if rest.is_some() && !is_web && !content_type::is_grpc(request.headers()) {
            return rest::not_found(&NotFound::Path);
        }
        if request.version() != Version::HTTP_2 && !is_web {
            return call::refuse(&request);
        }
        let json = self.codecs.json(request.uri().path());
        match (is_web, json) {
            (true, Some(json)) if web::is_json(&request) => {
                let call = |request| grpc_json::serve(request, json.clone(), call);
                web::serve(request, &call).await
            }
            (true, _) if web::is_json(&request) => call::refuse(&request),
            (true, _) => web::serve(request, call).await,
            (false, Some(json)) if grpc_json::is_json(&request) => {
                grpc_json::serve(request, json, call).await
            }
            (false, _) => call(request).await,
        }
    }
}

/// Whether it is an OPTIONS that no browser sends ahead of a call, and that tower-http would answer all the same.
fn is_plain_options<B>(request: &Request<B>) -> bool {
    let preflight = header::ACCESS_CONTROL_REQUEST_METHOD;
    request.method() == Method::OPTIONS && !request.headers().contains_key(preflight)
}
