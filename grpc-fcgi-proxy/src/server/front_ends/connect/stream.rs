//! Streams of enveloped messages.

use std::collections::BTreeMap;

use bytes::Bytes;
use grpc_wire::message;
use grpc_wire::status::GRPC_STATUS;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::BodyExt;
use serde::Serialize;

use super::error::ConnectError;
use super::request;
use crate::binding::dialect::{ClientProtocol, Dialect};
use crate::call::{CallError, RequestBody, ResponseBody};
use crate::server::front_ends::answer::{known, take_metadata, take_status};
use crate::server::front_ends::codec::Json;

const ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("connect-accept-encoding");
/// The flag of the envelope that ends a response.
const END_STREAM: u8 = 0x02;

/// The last envelope.
#[derive(Serialize)]
struct EndOfStream<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ConnectError>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, Vec<&'a str>>,
}

/// Serves a call. With `json`, its messages are JSON.
pub(super) async fn serve<F>(
    request: Request<RequestBody>,
    json: Option<Json>,
    call: &impl Fn(Request<RequestBody>) -> F,
) -> Response<ResponseBody>
where
    F: Future<Output = Response<ResponseBody>>,
{
    let (mut head, body) = request.into_parts();
    let is_json = json.is_some();
    let encoding = request::translate(&mut head.headers, &ENCODING, &ACCEPT_ENCODING, is_json);
    let encoding = match encoding {
        Ok(encoding) => encoding,
        Err(error) => return ended(Some(error), &HeaderMap::new(), is_json),
    };
    let body = match &json {
        Some(json) => RequestBody::translated(json.clone().requests(body, encoding)),
        None => body,
    };
    let mut request = Request::from_parts(head, body);
    Dialect::attach(ClientProtocol::Connect, is_json, &mut request);
    answer(call(request).await, json)
}

fn answer(mut response: Response<ResponseBody>, json: Option<Json>) -> Response<ResponseBody> {
    let fields = response.headers_mut();
    let (mut metadata, encoding) = take_metadata(fields);
    if metadata.contains_key(GRPC_STATUS) {
        let error = ConnectError::of(take_status(&mut metadata));
        return ended(error, &metadata, json.is_some());
    }
    *fields = metadata;
    let known = known(encoding.as_ref());
    if let Some(encoding) = encoding {
        fields.insert(ENCODING, encoding);
    }
    fields.insert(header::CONTENT_TYPE, media_type(json.is_some()));
    response.map(|body| match json {
        None => ResponseBody::translated(body.map_frame(enveloped)),
        Some(json) => json.responses(body, known, last, last_error),
    })
}

/// A call that ended before its first message.
fn ended(
    error: Option<ConnectError>,
    trailers: &HeaderMap,
    is_json: bool,
) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::content(end(error, trailers)));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, media_type(is_json));
    response
}

fn media_type(is_json: bool) -> HeaderValue {
    HeaderValue::from_static(if is_json {
        "application/connect+json"
    } else {
        "application/connect+proto"
    })
}

/// gRPC's messages are framed alike. Its trailers become the last envelope.
fn enveloped(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => last(trailers),
        Err(frame) => frame,
    }
}

fn last(mut trailers: HeaderMap) -> Frame<Bytes> {
    let error = ConnectError::of(take_status(&mut trailers));
    Frame::data(end(error, &trailers))
}

fn end(error: Option<ConnectError>, trailers: &HeaderMap) -> Bytes {
    let mut metadata = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in trailers {
        if let Ok(value) = value.to_str() {
            metadata.entry(name.as_str()).or_default().push(value);
        }
    }
    let json = serde_json::to_vec(&EndOfStream { error, metadata });
    message::encode(END_STREAM, &json.unwrap_or_default())
}

fn last_error(error: &CallError) -> Frame<Bytes> {
    let error = ConnectError::of(error.status());
    Frame::data(end(error, &HeaderMap::new()))
}
