//! How a client encodes its messages: as protobuf, which passes as it is, or as JSON.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use grpc_wire::encoding::{Encoding, NamedEncoding};
use grpc_wire::message::{self, COMPRESSED, Decoder};
use grpc_wire::method::CallKind;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::time::Instant;
use transcoding::json::Unknown;
use transcoding::{MessageId, Schema};

use crate::binding::answers::AnswerError;
use crate::call::{Aborted, Bridge, CallError, CallLimits, Compression, RequestBody, ResponseBody};

/// What the descriptor sets say of methods, and the parts that translating their messages needs.
#[derive(Debug)]
pub(super) struct Codecs {
    pub(super) schema: Arc<Schema>,
    pub(super) bridge: Arc<Bridge>,
    /// What to do with fields of JSON that the schema does not have.
    pub(super) unknown: Unknown,
}

impl Codecs {
    /// The JSON of the method at `path`; `None` if no descriptor set has it.
    pub(super) fn json(&self, path: &str) -> Option<Json> {
        let method = self.schema.method(path)?;
        Some(Json {
            schema: Arc::clone(&self.schema),
            kind: self.bridge.kinds.of(path),
            request: method.request,
            response: method.response,
            unknown: self.unknown,
            compression: self.bridge.compression.clone(),
            limits: self.bridge.limits,
        })
    }
}

/// The messages of a method as JSON.
#[derive(Clone, Debug)]
pub(super) struct Json {
    pub(super) schema: Arc<Schema>,
    kind: CallKind,
    request: MessageId,
    response: MessageId,
    pub(super) unknown: Unknown,
    pub(super) compression: Compression,
    pub(super) limits: CallLimits,
}

impl Json {
    /// Limits how long a request may take that is read to be translated.
    pub(super) fn bounded(&self, body: RequestBody) -> RequestBody {
        self.limits.bounded(self.kind, Instant::now(), body)
    }

    /// The encoded message of a JSON text.
    pub(super) async fn read(&self, json: Bytes) -> Result<Bytes, CallError> {
        let (schema, message, unknown) = (Arc::clone(&self.schema), self.request, self.unknown);
        self.compression
            .translate(json.len(), move || {
                let mut bytes = Vec::with_capacity(json.len());
                schema.read_json(message, &json, unknown, &mut bytes)?;
                Ok::<_, CallError>(bytes.into())
            })
            .await
    }

    /// The JSON text of an encoded message.
    pub(super) async fn write(&self, bytes: Bytes) -> Result<Bytes, CallError> {
        let (schema, message) = (Arc::clone(&self.schema), self.response);
        self.compression
            .translate(bytes.len(), move || {
                let mut json = Vec::with_capacity(bytes.len() * 3 / 2);
                schema.write_json(message, &bytes, &mut json)?;
                Ok::<_, CallError>(json.into())
            })
            .await
    }

    /// A message of the client, decompressed.
    pub(super) async fn plain(
        &self,
        message: message::Message,
        encoding: NamedEncoding,
    ) -> Result<Bytes, CallError> {
        if !message.compressed {
            return Ok(message.content);
        }
        let content =
            self.compression
                .decompress(encoding, message.content, self.limits.receive_message);
        Ok(content.await?)
    }

    /// The messages of a stream of JSON texts, each behind a prefix.
    pub(super) fn requests(
        self,
        body: RequestBody,
        encoding: NamedEncoding,
    ) -> impl Stream<Item = Result<Bytes, CallError>> + Send + 'static {
        let decoder = Decoder::new(self.limits.receive_message);
        let body = self.bounded(body);
        try_unfold(
            (self, body, decoder),
            move |(json, mut body, mut decoder)| async move {
                loop {
                    if let Some(message) = decoder.decode().map_err(CallError::RequestMessage)? {
                        let bytes = json.read(json.plain(message, encoding).await?).await?;
                        return Ok(Some((message::encode(0, &bytes), (json, body, decoder))));
                    }
                    match body.frame().await.transpose()? {
                        Some(frame) => {
                            if let Ok(piece) = frame.into_data() {
                                decoder.push(piece);
                            }
                        }
                        None => {
                            decoder.finish().map_err(CallError::RequestMessage)?;
                            return Ok(None);
                        }
                    }
                }
            },
        )
    }

    /// A message of the application, decompressed.
    pub(super) async fn plain_answer(
        &self,
        message: message::Message,
        encoding: Option<Encoding>,
    ) -> Result<Bytes, CallError> {
        let (Some(encoding), true) = (encoding, message.compressed) else {
            return Ok(message.content);
        };
        let known = NamedEncoding::Known(encoding);
        let content = self
            .compression
            .decompress(known, message.content, self.limits.send_message);
        Ok(content.await?)
    }

    /// A message of the application, with its prefix, as JSON; compressed again if it was compressed.
    pub(super) async fn response(
        &self,
        message: message::Message,
        encoding: Option<Encoding>,
    ) -> Result<Bytes, CallError> {
        let encoding = encoding.filter(|_| message.compressed);
        let json = self
            .write(self.plain_answer(message, encoding).await?)
            .await?;
        self.framed(json, encoding).await
    }

    /// A message with its prefix.
    pub(super) async fn framed(
        &self,
        content: Bytes,
        encoding: Option<Encoding>,
    ) -> Result<Bytes, CallError> {
        let Some(encoding) = encoding else {
            return Ok(message::encode(0, &content));
        };
        let message = self.compression.compress(encoding, content).await;
        Ok(message.map_err(AnswerError::from)?)
    }

    /// The messages of a response.
    pub(super) fn answers(&self, body: ResponseBody) -> Answers {
        let decoder = Decoder::new(self.limits.send_message);
        Answers { body, decoder }
    }

    /// A response whose messages are JSON. `last` makes its end of the trailers, `failed` of an error.
    pub(super) fn responses(
        self,
        body: ResponseBody,
        encoding: Option<Encoding>,
        last: fn(HeaderMap) -> Frame<Bytes>,
        failed: fn(&CallError) -> Frame<Bytes>,
    ) -> ResponseBody {
        let begun = Some(self.answers(body));
        let frames = try_unfold((self, begun), move |(json, open)| async move {
            let Some(mut answers) = open else {
                return Ok(None);
            };
            Ok(Some(match answers.next().await? {
                Next::Message(message) => match json.response(message, encoding).await {
                    Ok(text) => (Frame::data(text), (json, Some(answers))),
                    Err(error) => (failed(&error), (json, None)),
                },
                Next::Trailers(trailers) => (last(trailers), (json, None)),
            }))
        });
        ResponseBody::translated(StreamBody::new(frames))
    }
}

/// The messages of a response, as they arrive.
#[derive(Debug)]
pub(super) struct Answers {
    body: ResponseBody,
    decoder: Decoder,
}

/// What comes next in a response.
pub(super) enum Next {
    Message(message::Message),
    /// The end.
    Trailers(HeaderMap),
}

impl Answers {
    /// May be dropped while it waits, and called again.
    pub(super) async fn next(&mut self) -> Result<Next, Aborted> {
        loop {
            // What was malformed or too large has failed the call.
            if let Ok(Some(message)) = self.decoder.decode() {
                return Ok(Next::Message(message));
            }
            let Some(frame) = self.body.frame().await.transpose()? else {
                return Err(Aborted);
            };
            match frame.into_data() {
                Ok(piece) => self.decoder.push(piece),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return Ok(Next::Trailers(trailers));
                }
            }
        }
    }
}

/// Makes a path all of a URI's path and query.
pub(super) fn set_path(uri: &mut Uri, path: &str) {
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Reads a body to its end.
pub(super) async fn whole(mut body: RequestBody, limit: usize) -> Result<Bytes, CallError> {
    let mut content = BytesMut::new();
    while let Some(frame) = body.frame().await.transpose()? {
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let length = content.len() + piece.len();
        if length > limit {
            let error = message::MessageError::TooLarge { length, limit };
            return Err(CallError::RequestMessage(error));
        }
        if content.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}

/// The flags of a message.
pub(super) fn flags(encoding: NamedEncoding) -> u8 {
    match encoding {
        NamedEncoding::Identity => 0,
        NamedEncoding::Known(_) | NamedEncoding::Unsupported => COMPRESSED,
    }
}
