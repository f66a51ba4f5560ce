//! REST: the paths of the methods' `google.api.http` rules (google/api/http.proto).

mod messages;
mod request;
mod response;
mod status;
mod stream;

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use bytes::Bytes;
use grpc_wire::status::{Code, Status};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use transcoding::json::Unknown;
use transcoding::rest::{Found, NotFound, Routes};
use transcoding::{Schema, openapi};

use self::messages::Messages;
use super::answer::Content;
use super::codec::Codecs;
use crate::binding::dialect::{ClientProtocol, Dialect};
use crate::call::{RequestBody, ResponseBody};
use crate::config::WebFlags;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The path of the document that describes the others.
const OPENAPI: &str = "/openapi.json";

/// The paths that are served.
#[derive(Debug)]
pub(crate) struct Rest {
    routes: Routes,
    openapi: Option<Bytes>,
}

impl Rest {
    /// `None` without the flag.
    pub(crate) fn new(flags: &WebFlags, schema: &Schema) -> anyhow::Result<Option<Self>> {
        if !flags.rest {
            return Ok(None);
        }
        let routes = Routes::of(schema).context("--rest")?;
        ensure!(
            !routes.is_empty(),
            "--rest needs methods with google.api.http rules in a --descriptor-set"
        );
        ensure!(
            !flags.openapi || routes.find(Method::GET.as_str(), OPENAPI).is_err(),
            "--openapi serves GET {OPENAPI}, which is the path of a google.api.http rule, too"
        );
        let openapi = flags
            .openapi
            .then(|| describe(schema, &routes, super::unknown(flags)));
        Ok(Some(Self { routes, openapi }))
    }

    /// The HTTP methods of all paths, for CORS.
    pub(super) fn verbs(&self) -> impl Iterator<Item = Method> {
        let verbs: BTreeSet<_> = self.routes.routes().map(|route| route.verb()).collect();
        verbs.into_iter().filter_map(|verb| verb.parse().ok())
    }

    /// Whether the request's path is one of REST's.
    pub(super) fn has<B>(&self, request: &Request<B>) -> bool {
        self.is_openapi(request) || !matches!(self.find(request), Err(NotFound::Path))
    }

    fn is_openapi<B>(&self, request: &Request<B>) -> bool {
        self.openapi.is_some() && request.uri().path() == OPENAPI
    }

    /// RFC 9110, 9.3.2: a GET may be asked for its header fields alone.
    fn find<B>(&self, request: &Request<B>) -> Result<Found, NotFound> {
        let (method, path) = (request.method(), request.uri().path());
        match self.routes.find(method.as_str(), path) {
            Err(NotFound::Verb { .. }) if method == Method::HEAD => {
                self.routes.find(Method::GET.as_str(), path)
            }
            found => found,
        }
    }

    /// Serves a request. `call` serves the ordinary call that it is translated to.
    pub(super) async fn serve<F>(
        &self,
        codecs: &Codecs,
        request: Request<RequestBody>,
        call: &impl Fn(Request<RequestBody>) -> F,
    ) -> Response<ResponseBody>
    where
        F: Future<Output = Response<ResponseBody>>,
    {
        let is_head = request.method() == Method::HEAD;
        let response = match &self.openapi {
            Some(document) if self.is_openapi(&request) => {
                serve_document(request.method(), document)
            }
            _ => match self.find(&request) {
                Ok(found) => serve_found(codecs, found, request, call).await,
                Err(error) => not_found(&error),
            },
        };
        match is_head {
            true => response.map(|_| ResponseBody::default()),
            false => response,
        }
    }
}

/// The OpenAPI document of the routes, with the names of their services as its title.
fn describe(schema: &Schema, routes: &Routes, unknown: Unknown) -> Bytes {
    let services = routes.routes().filter_map(|route| {
        let (service, _) = route.method().trim_start_matches('/').split_once('/')?;
        Some(service)
    });
    let services: BTreeSet<_> = services.collect();
    let title = services.into_iter().collect::<Vec<_>>().join(", ");
    openapi::document(schema, routes, unknown, &title, "1").into()
}

fn serve_document(method: &Method, document: &Bytes) -> Response<ResponseBody> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_found(&NotFound::Verb {
            allowed: vec![Method::GET.to_string()],
        });
    }
    let content = Content {
        bytes: document.clone(),
        media_type: JSON,
        encoding: None,
    };
    content.response(StatusCode::OK)
}

async fn serve_found<F>(
    codecs: &Codecs,
    found: Found,
    request: Request<RequestBody>,
    call: &impl Fn(Request<RequestBody>) -> F,
) -> Response<ResponseBody>
where
    F: Future<Output = Response<ResponseBody>>,
{
    let Some(json) = codecs.json(found.route().method()) else {
        // A rule is one of a method of the same schema.
        return not_found(&NotFound::Path);
    };
    let messages = Messages::new(found, json, &request);
    let format = stream::Format::of(&messages, request.headers());
    let mut request = match request::translate(&messages, request) {
        Ok(request) => request,
        Err(status) => return status::response(&messages.json.schema, &status),
    };
    Dialect::attach(ClientProtocol::Rest, true, &mut request);
    let response = call(request).await;
    match format {
        Some(format) => stream::answer(response, messages, format).await,
        None => response::answer(response, messages).await,
    }
}

/// The response to a page of another origin.
pub(super) fn forbidden() -> Response<ResponseBody> {
    let text = "pages of this origin may not call: see --allow-origin";
    let body = Status::new(Code::PermissionDenied, text);
    status::response(&Schema::default(), &body)
}

/// The response to a request without a route.
pub(super) fn not_found(error: &NotFound) -> Response<ResponseBody> {
    let (status, code) = match error {
        NotFound::Path => (StatusCode::NOT_FOUND, Code::NotFound),
        NotFound::Verb { .. } => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
        NotFound::Malformed => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
    };
    let body = Status {
        message: error.to_string().into(),
        ..Status::new(code, "")
    };
    let mut response = status::response(&Schema::default(), &body);
    *response.status_mut() = status;
    if let NotFound::Verb { allowed } = error
        && let Ok(allowed) = HeaderValue::try_from(allowed.join(", "))
    {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
