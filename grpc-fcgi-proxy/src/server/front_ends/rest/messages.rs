//! The messages of a call, as the HTTP content of its route.

use std::sync::Arc;

use bytes::Bytes;
use grpc_wire::encoding::Encoding;
use grpc_wire::message::{self, Message};
use http::{HeaderValue, Request, header};
use transcoding::rest::Found;

use crate::call::CallError;
use crate::server::front_ends::codec::Json;

/// What the messages of a call are translated by.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    pub(super) json: Json,
    pub(super) found: Arc<Found>,
    query: Option<Arc<str>>,
    content_type: Option<Arc<str>>,
}

/// The content of a message of the application.
pub(super) struct Written {
    pub(super) content: Bytes,
    pub(super) media_type: HeaderValue,
}

impl Messages {
    pub(super) fn new<B>(found: Found, json: Json, request: &Request<B>) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        Self {
            json,
            found: Arc::new(found),
            query: request.uri().query().map(Arc::from),
            content_type: content_type.map(Arc::from),
        }
    }

    /// The message of a body, with gRPC's prefix.
    pub(super) async fn read(&self, body: Bytes) -> Result<Bytes, CallError> {
        let this = self.clone();
        let length = body.len();
        let read = self.json.compression.translate(length, move || {
            let mut bytes = Vec::with_capacity(length);
            let (query, content_type) = (this.query.as_deref(), this.content_type.as_deref());
            let (schema, unknown) = (&this.json.schema, this.json.unknown);
            this.found
                .request(schema, query, content_type, &body, unknown, &mut bytes)?;
            Ok::<_, CallError>(Bytes::from(bytes))
        });
        Ok(message::encode(0, &read.await?))
    }

    /// The content of a message of the application, which may be compressed.
    pub(super) async fn write(
        &self,
        message: Message,
        encoding: Option<Encoding>,
    ) -> Result<Written, CallError> {
        let bytes = self.json.plain_answer(message, encoding).await?;
        let this = self.clone();
        let written = self.json.compression.translate(bytes.len(), move || {
            let mut content = Vec::with_capacity(bytes.len() * 3 / 2);
            let schema = &this.json.schema;
            let media_type = this.found.response(schema, &bytes, &mut content)?;
            Ok::<_, CallError>((content, media_type))
        });
        let (content, media_type) = written.await?;
        Ok(Written {
            content: content.into(),
            media_type: media_type.map_or(super::JSON, |name| media_type_of(&name)),
        })
    }
}

/// The type that the application gives; one that is no header field says nothing.
fn media_type_of(name: &str) -> HeaderValue {
    let known = HeaderValue::from_str(name).ok();
    known
        .filter(|name| !name.is_empty())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
