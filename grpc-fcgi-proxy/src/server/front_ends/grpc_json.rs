//! gRPC whose messages are JSON: `application/grpc+json`.

use bytes::Bytes;
use grpc_wire::content_type;
use grpc_wire::encoding::{GRPC_ENCODING, NamedEncoding};
use grpc_wire::status::GRPC_STATUS;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Frame;

use super::codec::Json;
use crate::binding::dialect::{ClientProtocol, Dialect};
use crate::call::{CallError, RequestBody, ResponseBody};

const GRPC_JSON: HeaderValue = HeaderValue::from_static("application/grpc+json");

/// Whether the messages of a request are JSON.
pub(super) fn is_json<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type == Some(&GRPC_JSON)
}

/// Serves a call with JSON. `call` serves the ordinary call that it is translated to.
pub(super) async fn serve<F>(
    request: Request<RequestBody>,
    json: Json,
    call: &impl Fn(Request<RequestBody>) -> F,
) -> Response<ResponseBody>
where
    F: Future<Output = Response<ResponseBody>>,
{
    let (mut head, body) = request.into_parts();
    let encoding = NamedEncoding::of(&head.headers);
    if encoding != NamedEncoding::Unsupported {
        head.headers.remove(GRPC_ENCODING);
    }
    head.headers
        .insert(header::CONTENT_TYPE, content_type::GRPC);
    let body = RequestBody::translated(json.clone().requests(body, encoding));
    let mut request = Request::from_parts(head, body);
    Dialect::attach(ClientProtocol::Grpc, true, &mut request);
    let mut response = call(request).await;
    let encoding = NamedEncoding::of(response.headers()).known();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, GRPC_JSON);
    if fields.contains_key(GRPC_STATUS) {
        return response;
    }
    response.map(|body| json.responses(body, encoding, Frame::trailers, failed))
}

/// The end of a call whose answer has no JSON.
fn failed(error: &CallError) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    error.status().write(&mut trailers);
    Frame::trailers(trailers)
}
