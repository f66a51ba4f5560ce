//! The request of a route, as that of its method.

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::{once, try_unfold};
use grpc_wire::content_type;
use grpc_wire::encoding::NamedEncoding;
use grpc_wire::message::{Message, MessageError};
use grpc_wire::status::{Code, Status};
use grpc_wire::timeout;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Decoder};
use transcoding::rest;

use super::messages::Messages;
use crate::call::{CallError, RequestBody};
use crate::server::front_ends::{codec, encoding};

/// The query of a stream of requests, in bytes: it is a part of each of its messages, and a message may have three bytes.
const MAX_QUERY: usize = 1024;

/// Translates a request. A stream is a line for each message, and without a body in its rule one message: the path and the query.
pub(super) fn translate(
    messages: &Messages,
    request: Request<RequestBody>,
) -> Result<Request<RequestBody>, Status> {
    let route = messages.found.route();
    let many = route.client_streaming() && route.request_body() != rest::RequestBody::None;
    let (mut head, body) = request.into_parts();
    let (named, accepted) = (&header::CONTENT_ENCODING, &header::ACCEPT_ENCODING);
    if route.client_streaming() || route.server_streaming() {
        // Compression would hold messages back.
        head.headers.remove(accepted);
    }
    let encoding = encoding::translate(&mut head.headers, named, accepted, true)?;
    if timeout::requested(&head.headers).is_err() {
        return Err(Status::new(
            Code::InvalidArgument,
            "grpc-timeout is not 1 to 8 digits and a unit: H, M, S, m, u or n",
        ));
    }
    if many
        && head
            .uri
            .query()
            .is_some_and(|query| query.len() > MAX_QUERY)
    {
        return Err(Status::new(
            Code::InvalidArgument,
            "the query holds for each message of the stream, and has more than 1024 bytes: send its fields in the messages",
        ));
    }
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers
        .insert(header::CONTENT_TYPE, content_type::GRPC);
    head.method = Method::POST;
    codec::set_path(&mut head.uri, route.method());
    let messages = messages.clone();
    let body = messages.json.bounded(body);
    let body = match (many, route.request_body()) {
        (false, _) => RequestBody::translated(once(one(messages, body, encoding))),
        (true, _) if encoding != NamedEncoding::Identity => {
            return Err(Status::new(
                Code::Unimplemented,
                "content-encoding: the messages of a stream cannot be compressed",
            ));
        }
        (true, rest::RequestBody::Raw) => RequestBody::translated(pieces(messages, body)),
        (true, _) => RequestBody::translated(lines(messages, body)),
    };
    Ok(Request::from_parts(head, body))
}

/// The one message of a request.
async fn one(
    messages: Messages,
    body: RequestBody,
    encoding: NamedEncoding,
) -> Result<Bytes, CallError> {
    let content = codec::whole(body, messages.json.limits.receive_message).await?;
    let compressed = encoding != NamedEncoding::Identity && !content.is_empty();
    let message = Message {
        compressed,
        content,
    };
    let plain = messages.json.plain(message, encoding).await?;
    messages.read(plain).await
}

/// A message for each piece of an upload as it arrives.
fn pieces(
    messages: Messages,
    body: RequestBody,
) -> impl Stream<Item = Result<Bytes, CallError>> + Send + 'static {
    try_unfold((messages, body), |(messages, mut body)| async move {
        while let Some(frame) = body.frame().await.transpose()? {
            if let Ok(piece) = frame.into_data() {
                let message = messages.read(piece).await?;
                return Ok(Some((message, (messages, body))));
            }
        }
        Ok(None)
    })
}

/// A message for each line.
fn lines(
    messages: Messages,
    body: RequestBody,
) -> impl Stream<Item = Result<Bytes, CallError>> + Send + 'static {
    let lines = Lines {
        limit: messages.json.limits.receive_message,
        codec: AnyDelimiterCodec::new_with_max_length(
            b"\n".to_vec(),
            b"\n".to_vec(),
            messages.json.limits.receive_message,
        ),
        buffer: BytesMut::new(),
        body,
    };
    try_unfold((messages, lines), |(messages, mut lines)| async move {
        while let Some(line) = lines.next().await? {
            if !line.trim_ascii().is_empty() {
                let message = messages.read(line).await?;
                return Ok(Some((message, (messages, lines))));
            }
        }
        Ok(None)
    })
}

/// The lines of a request.
struct Lines {
    body: RequestBody,
    codec: AnyDelimiterCodec,
    buffer: BytesMut,
    limit: usize,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let line = self.codec.decode(&mut self.buffer);
            if let Some(line) = line.map_err(|error| self.too_long(&error))? {
                return Ok(Some(line));
            }
            match self.body.frame().await.transpose()? {
                Some(frame) => {
                    if let Ok(piece) = frame.into_data() {
                        self.buffer.extend_from_slice(&piece);
                    }
                }
                None => {
                    let last = self.codec.decode_eof(&mut self.buffer);
                    return last.map_err(|error| self.too_long(&error));
                }
            }
        }
    }

    fn too_long(&self, _: &AnyDelimiterCodecError) -> CallError {
        CallError::RequestMessage(MessageError::TooLarge {
            length: self.buffer.len(),
            limit: self.limit,
        })
    }
}
