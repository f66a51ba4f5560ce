//! The Connect protocol: <https://connectrpc.com/docs/protocol/>.
//!
//! A unary call is an ordinary HTTP request, whose body is the message. A stream is one of enveloped messages, which are
//! framed as gRPC's are; its end is a last envelope in the body.

mod error;
mod get;
mod request;
mod stream;
mod unary;

use std::sync::Arc;

use grpc_wire::method::CallKind;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use transcoding::Schema;

use self::error::ConnectError;
use super::codec::Json;
use crate::call::{Bridge, RequestBody, ResponseBody};

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

/// Serves Connect.
#[derive(Debug)]
pub(super) struct Connect {
    schema: Arc<Schema>,
    bridge: Arc<Bridge>,
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

impl Connect {
    pub(super) fn new(schema: &Arc<Schema>, bridge: &Arc<Bridge>) -> Self {
        Self {
            schema: Arc::clone(schema),
            bridge: Arc::clone(bridge),
        }
    }

    /// Serves a request for which [`is_connect`] is true. `call` serves the ordinary call that it is translated to.
    pub(super) async fn serve<F>(
        &self,
        request: Request<RequestBody>,
        call: &impl Fn(Request<RequestBody>) -> F,
    ) -> Response<ResponseBody>
    where
        F: Future<Output = Response<ResponseBody>>,
    {
        let Some(form) = form(&request) else {
            return unsupported_media_type();
        };
        if form != Form::Get && request.method() != Method::POST {
            return not_allowed("POST");
        }
        let kind = self.bridge.kinds.of(request.uri().path());
        // As in Connect's own servers, a stream is asked for by its content type.
        if (kind == CallKind::Unary) == matches!(form, Form::Stream { .. }) {
            return unsupported_media_type();
        }
        match form {
            Form::Unary { json: false } => {
                let is_known = self.schema.method(request.uri().path()).is_some();
                let mut response = unary::serve(request, None, self.limit(), call).await;
                // A path that nothing serves.
                if !is_known && response.status() == StatusCode::NOT_IMPLEMENTED {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                response
            }
            Form::Unary { json: true } => match self.json(&request) {
                Some(json) => unary::serve(request, Some(json), self.limit(), call).await,
                None => no_json(),
            },
            Form::Get => match get::Query::read(request.uri()) {
                Ok(query) => self.get(request, query, call).await,
                Err(error) => error.response(),
            },
            Form::Stream { json: false } => stream::serve(request, None, call).await,
            Form::Stream { json: true } => match self.json(&request) {
                Some(json) => stream::serve(request, Some(json), call).await,
                None => no_json(),
            },
        }
    }

    async fn get<F>(
        &self,
        request: Request<RequestBody>,
        query: get::Query,
        call: &impl Fn(Request<RequestBody>) -> F,
    ) -> Response<ResponseBody>
    where
        F: Future<Output = Response<ResponseBody>>,
    {
        let method = self.schema.method(request.uri().path());
        // A page, a cache or a crawler may repeat a GET.
        if !method.is_some_and(|method| method.no_side_effects) {
            return not_allowed("POST");
        }
        let json = match query.json {
            true => self.json(&request),
            false => None,
        };
        unary::serve(query.into_post(request), json, self.limit(), call).await
    }

    fn limit(&self) -> usize {
        self.bridge.limits.receive_message
    }

    fn json(&self, request: &Request<RequestBody>) -> Option<Json> {
        Json::of(&self.schema, &self.bridge, request.uri().path())
    }
}

fn not_allowed(allowed: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn unsupported_media_type() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// JSON can be translated only by a descriptor.
fn no_json() -> Response<ResponseBody> {
    let error = ConnectError::unimplemented(
        "JSON needs the method in a descriptor set: see --descriptor-set",
    );
    let mut response = error.response();
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}
