//! Unary calls: a message is the whole body.

use bytes::Bytes;
use futures_util::stream::once;
use grpc_wire::encoding::{Encoding, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, NamedEncoding};
use grpc_wire::message::{self, Decoder};
use grpc_wire::status::{Code, GRPC_STATUS};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};

use super::error::ConnectError;
use super::request;
use crate::call::{CallError, RequestBody, ResponseBody};
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
    let response = call(Request::from_parts(
        head,
        RequestBody::translated(once(message)),
    ))
    .await;
    answer(response, json).await
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
    let message = message::Message {
        compressed,
        content,
    };
    let text = json.plain(message, encoding).await?;
    Ok(message::encode(0, &json.read(text).await?))
}

async fn answer(response: Response<ResponseBody>, json: Option<Json>) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    let mut metadata = std::mem::take(&mut head.headers);
    metadata.remove(header::CONTENT_TYPE);
    metadata.remove(GRPC_ACCEPT_ENCODING);
    let encoding = metadata.remove(GRPC_ENCODING);
    let encoding = NamedEncoding::read(encoding.as_ref().map(HeaderValue::as_bytes)).known();
    let Ok(mut answer) = body.into_whole().await else {
        // Only a stream is aborted, and this is none.
        return ConnectError::new(Code::Internal, "the call was aborted").response();
    };
    let is_trailers_only = metadata.contains_key(GRPC_STATUS);
    let error = ConnectError::take(if is_trailers_only {
        &mut metadata
    } else {
        &mut answer.trailers
    });
    let content = match error {
        None => content(answer.message, encoding, json).await,
        Some(error) => Err(error),
    };
    let mut response = match content {
        Ok((content, media_type, encoding)) => {
            let length = HeaderValue::from(content.len());
            let mut response = Response::new(ResponseBody::content(content));
            let fields = response.headers_mut();
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            fields.insert(header::CONTENT_LENGTH, length);
            if let Some(encoding) = encoding {
                fields.insert(
                    header::CONTENT_ENCODING,
                    HeaderValue::from_static(encoding.name()),
                );
            }
            response
        }
        Err(error) => error.response(),
    };
    for (name, value) in &metadata {
        response.headers_mut().append(name, value.clone());
    }
    add_trailers(response.headers_mut(), &answer.trailers);
    match answer.slot {
        Some(slot) => response.map(|body| body.in_slot(slot)),
        None => response,
    }
}

/// The content of a response, its type, and its compression.
async fn content(
    message: Bytes,
    encoding: Option<Encoding>,
    json: Option<Json>,
) -> Result<(Bytes, &'static str, Option<Encoding>), ConnectError> {
    let mut decoder = Decoder::new(usize::MAX);
    decoder.push(message);
    let Ok(Some(message)) = decoder.decode() else {
        return Err(ConnectError::new(
            Code::Internal,
            "the application's answer is malformed",
        ));
    };
    let encoding = encoding.filter(|_| message.compressed);
    let Some(json) = json else {
        return Ok((message.content, "application/proto", encoding));
    };
    let mut text = json.response(message, encoding).await.map_err(|error| {
        let status = error.status();
        ConnectError::new(status.code, status.message)
    })?;
    Ok((
        text.split_off(message::PREFIX_LENGTH),
        "application/json",
        encoding,
    ))
}

/// "Trailing metadata … is sent as HTTP headers prefixed with trailer-".
fn add_trailers(fields: &mut HeaderMap, trailers: &HeaderMap) {
    for (name, value) in trailers {
        if let Ok(name) = HeaderName::try_from(format!("trailer-{name}")) {
            fields.append(name, value.clone());
        }
    }
}
