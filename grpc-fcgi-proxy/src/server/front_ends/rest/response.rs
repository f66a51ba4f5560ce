//! The response of a route whose method answers with one message.

use grpc_wire::encoding::Encoding;
use grpc_wire::message::{self, Message};
use http::{HeaderValue, Response, StatusCode, header};

use super::messages::Messages;
use super::status;
use crate::call::{CallError, ResponseBody};
use crate::server::front_ends::answer::{Answer, Content};

pub(super) async fn answer(
    response: Response<ResponseBody>,
    messages: Messages,
) -> Response<ResponseBody> {
    let answer = Answer::read(response).await;
    let content = match answer.message {
        Ok(message) => content(message, answer.encoding, &messages)
            .await
            .map_err(|error| error.status()),
        Err(status) => Err(status),
    };
    let response = match content {
        Ok(content) => {
            let is_compressed = content.encoding.is_some();
            let mut response = content.response(StatusCode::OK);
            if is_compressed {
                let vary = HeaderValue::from_static("accept-encoding");
                response.headers_mut().append(header::VARY, vary);
            }
            response
        }
        Err(status) => status::response(&messages.json.schema, &status),
    };
    answer.rest.add_to(response)
}

/// Compressed again if the message was compressed.
async fn content(
    message: Message,
    encoding: Option<Encoding>,
    messages: &Messages,
) -> Result<Content, CallError> {
    let encoding = encoding.filter(|_| message.compressed);
    let written = messages.write(message, encoding).await?;
    let bytes = match encoding {
        None => written.content,
        Some(_) => {
            let mut framed = messages.json.framed(written.content, encoding).await?;
            framed.split_off(message::PREFIX_LENGTH)
        }
    };
    Ok(Content {
        bytes,
        media_type: written.media_type,
        encoding,
    })
}
