//! The part of a message that is the body of a request, or the content of a response.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::{RequestBody, RequestError, ResponseBody};
use crate::json::{Unknown, WriteError};
use crate::schema::{Field, MessageId, Schema, ValueType};

/// Of a request message.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestPart {
    Nothing,
    Part(Part),
}

/// Of a response message.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponsePart(Part);

/// Where a message has the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The one field, by its position; or else the whole message.
    field: Option<usize>,
    /// The type of the field or message, if it is HttpBody.
    raw: Option<MessageId>,
}

const HTTP_BODY: &str = "google.api.HttpBody";
const CONTENT_TYPE: u32 = 1;
const DATA: u32 = 2;

/// What no `content_type` means.
const ANY_CONTENT: &str = "application/octet-stream";

impl Part {
    fn message(schema: &Schema, message: MessageId) -> Self {
        let raw = is_http_body(schema, message).then_some(message);
        Self { field: None, raw }
    }

    fn field(schema: &Schema, message: MessageId, index: usize) -> Self {
        let field = &schema.message_type(message).fields[index];
        let raw = match field.value {
            ValueType::Message(id) if !field.is_repeated() && is_http_body(schema, id) => Some(id),
            _ => None,
        };
        Self {
            field: Some(index),
            raw,
        }
    }

    /// Appends what an empty body is: a message without fields, as in grpc-gateway and Envoy's transcoder.
    fn write_empty(self, schema: &Schema, message: MessageId, out: &mut Vec<u8>) {
        let field = self
            .field
            .map(|index| &schema.message_type(message).fields[index]);
        if let Some(field) = field.filter(|field| is_single_message(field)) {
            encode_key(field.number, WireType::LengthDelimited, out);
            encode_varint(0, out);
        }
    }
}

fn is_single_message(field: &Field) -> bool {
    matches!(field.value, ValueType::Message(_)) && !field.is_repeated()
}

fn is_http_body(schema: &Schema, message: MessageId) -> bool {
    let message = schema.message_type(message);
    let has = |number, value| {
        let field = message.field(number).map(|index| &message.fields[index]);
        field.is_some_and(|field| field.value == value)
    };
    message.descriptor.full_name() == HTTP_BODY
        && has(CONTENT_TYPE, ValueType::String)
        && has(DATA, ValueType::Bytes)
}

impl RequestPart {
    pub(super) fn message(schema: &Schema, message: MessageId) -> Self {
        Self::Part(Part::message(schema, message))
    }

    pub(super) fn field_of(schema: &Schema, message: MessageId, index: usize) -> Self {
        Self::Part(Part::field(schema, message, index))
    }

    pub(super) fn kind(self) -> RequestBody {
        match self {
            Self::Nothing => RequestBody::None,
            Self::Part(Part { raw: None, .. }) => RequestBody::Json,
            Self::Part(Part { raw: Some(_), .. }) => RequestBody::Raw,
        }
    }

    pub(super) fn field(self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::Part(part) => part.field,
        }
    }

    /// Whether the body has this top-level field.
    pub(super) fn covers(self, index: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::Part(part) => part.field.is_none_or(|field| field == index),
        }
    }

    /// Whether the body is a field of the same oneof as this one.
    pub(super) fn excludes(self, schema: &Schema, message: MessageId, index: usize) -> bool {
        let fields = &schema.message_type(message).fields;
        let oneof = fields[index].oneof;
        let body = self.field().filter(|body| *body != index);
        oneof.is_some() && body.is_some_and(|body| fields[body].oneof == oneof)
    }

    pub(super) fn read(
        self,
        schema: &Schema,
        message: MessageId,
        content_type: Option<&str>,
        body: &[u8],
        unknown: Unknown,
        out: &mut Vec<u8>,
    ) -> Result<(), RequestError> {
        match self {
            // What clients send that always send JSON.
            Self::Nothing if matches!(body.trim_ascii(), b"" | b"{}") => Ok(()),
            Self::Nothing => Err(RequestError::NoBody),
            Self::Part(Part {
                field,
                raw: Some(_),
            }) => {
                let number = field.map(|index| schema.message_type(message).fields[index].number);
                write_raw(number, content_type.unwrap_or_default(), body, out);
                Ok(())
            }
            Self::Part(part) if body.trim_ascii().is_empty() => {
                part.write_empty(schema, message, out);
                Ok(())
            }
            Self::Part(Part { field: None, .. }) => {
                Ok(schema.read_json(message, body, unknown, out)?)
            }
            Self::Part(Part {
                field: Some(index), ..
            }) => Ok(schema.read_json_field(message, index, body, unknown, out)?),
        }
    }
}

/// Appends a HttpBody, with the key of the field that it is.
fn write_raw(field: Option<u32>, content_type: &str, data: &[u8], out: &mut Vec<u8>) {
    let mut head = Vec::new();
    if !content_type.is_empty() {
        encode_key(CONTENT_TYPE, WireType::LengthDelimited, &mut head);
        encode_varint(content_type.len() as u64, &mut head);
        head.extend_from_slice(content_type.as_bytes());
    }
    if !data.is_empty() {
        encode_key(DATA, WireType::LengthDelimited, &mut head);
        encode_varint(data.len() as u64, &mut head);
    }
    let length = head.len() + data.len();
    if let Some(number) = field {
        encode_key(number, WireType::LengthDelimited, out);
        encode_varint(length as u64, out);
    }
    out.reserve(length);
    out.extend_from_slice(&head);
    out.extend_from_slice(data);
}

impl ResponsePart {
    pub(super) fn message(schema: &Schema, message: MessageId) -> Self {
        Self(Part::message(schema, message))
    }

    pub(super) fn field_of(schema: &Schema, message: MessageId, index: usize) -> Self {
        Self(Part::field(schema, message, index))
    }

    pub(super) fn kind(self) -> ResponseBody {
        match self.0.raw {
            None => ResponseBody::Json,
            Some(_) => ResponseBody::Raw,
        }
    }

    pub(super) fn field(self) -> Option<usize> {
        self.0.field
    }

    pub(super) fn write(
        self,
        schema: &Schema,
        message: MessageId,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, WriteError> {
        match self.0 {
            Part {
                field: Some(index),
                raw: Some(body),
            } => {
                let content = schema.content(message, index, bytes)?;
                read_raw(schema, body, &content.unwrap_or_default(), out).map(Some)
            }
            Part {
                field: None,
                raw: Some(body),
            } => read_raw(schema, body, bytes, out).map(Some),
            Part {
                field: Some(index),
                raw: None,
            } => {
                schema.write_json_field(message, index, bytes, out)?;
                Ok(None)
            }
            Part {
                field: None,
                raw: None,
            } => {
                schema.write_json(message, bytes, out)?;
                Ok(None)
            }
        }
    }
}

/// Appends the data of a HttpBody, and returns its content type.
fn read_raw(
    schema: &Schema,
    body: MessageId,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<String, WriteError> {
    let part = |number| match schema.message_type(body).field(number) {
        Some(index) => schema.content(body, index, bytes),
        None => Ok(None),
    };
    out.extend_from_slice(&part(DATA)?.unwrap_or_default());
    let content_type = part(CONTENT_TYPE)?.unwrap_or_default();
    match std::str::from_utf8(&content_type).map_err(|_| WriteError::NotUtf8)? {
        "" => Ok(ANY_CONTENT.to_owned()),
        content_type => Ok(content_type.to_owned()),
    }
}
