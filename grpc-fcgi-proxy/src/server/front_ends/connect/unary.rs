//! Unary calls: a message is the whole body.

use bytes::Bytes;
use futures_util::stream::once;
use grpc_wire::encoding::{Encoding, NamedEncoding};
use grpc_wire::message::{self, Message};
use http::{HeaderValue, Request, Response, StatusCode, header};

use super::error::ConnectError;
use super::request;
use crate::binding::dialect::{ClientProtocol, Dialect};
use crate::call::{CallError, RequestBody, ResponseBody};
use crate::server::front_ends::answer::{Answer, Content};
use crate::server::front_ends::codec::{self, Json};

/// Serves a call. With `json`, its messages are JSON.
pub(super) async fn serve<F>(
    request: Request<RequestBody>,
    json: Option<Json>,
    limit: usize,
    call: &impl Fn(Request<RequestBody>) -> F,
) -> Response<ResponseBody>
where
    F: Future<Output = Response<ResponseBody>>,
{
    let (mut head, body) = request.into_parts();
    let (encoding, accepted) = (&header::CONTENT_ENCODING, &header::ACCEPT_ENCODING);
    let encoding = match request::translate(&mut head.headers, encoding, accepted, json.is_some()) {
        Ok(encoding) => encoding,
        Err(error) => return error.response(),
    };
    let message = read(body, json.clone(), encoding, limit);
    let mut request = Request::from_parts(head, RequestBody::translated(once(message)));
    Dialect::attach(ClientProtocol::Connect, json.is_some(), &mut request);
    answer(call(request).await, json).await
}

/// The message of a request, with gRPC's prefix.
async fn read(
    body: RequestBody,
    json: Option<Json>,
    encoding: NamedEncoding,
    limit: usize,
) -> Result<Bytes, CallError> {
    let content = codec::whole(body, limit).await?;
    let Some(json) = json else {
        // Nothing is an empty message, which is not compressed.
        let flags = if content.is_empty() {
            0
        } else {
            codec::flags(encoding)
        };
        return Ok(message::encode(flags, &content));
    };
    let compressed = encoding != NamedEncoding::Identity && !content.is_empty();
    let message = Message {
        compressed,
        content,
    };
    let text = json.plain(message, encoding).await?;
    Ok(message::encode(0, &json.read(text).await?))
}

async fn answer(response: Response<ResponseBody>, json: Option<Json>) -> Response<ResponseBody> {
    let answer = Answer::read(response).await;
    let content = match answer.message {
        Ok(message) => content(message, answer.encoding, json).await,
        Err(status) => Err(status.into()),
    };
    let response = match content {
        Ok(content) => content.response(StatusCode::OK),
        Err(error) => error.response(),
    };
    answer.rest.add_to(response)
}

async fn content(
    message: Message,
    encoding: Option<Encoding>,
    json: Option<Json>,
) -> Result<Content, ConnectError> {
    let encoding = encoding.filter(|_| message.compressed);
    let Some(json) = json else {
        return Ok(Content {
            bytes: message.content,
            media_type: HeaderValue::from_static("application/proto"),
            encoding,
        });
    };
    let text = json.response(message, encoding).await;
    let mut text = text.map_err(|error| error.status())?;
    Ok(Content {
        bytes: text.split_off(message::PREFIX_LENGTH),
        media_type: HeaderValue::from_static("application/json"),
        encoding,
    })
}
