//! The answer to a call, for protocols whose calls do not end in trailers.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use grpc_wire::encoding::{Encoding, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, NamedEncoding};
use grpc_wire::message::{Decoder, Message};
use grpc_wire::status::{
    Code, GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS, Status, decode_code, decode_message,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use prost::Message as _;

use crate::call::{ResponseBody, Slot};

/// The HTTP status of a code. <https://connectrpc.com/docs/protocol/#error-codes> and google/rpc/code.proto agree.
pub(super) fn http_status(code: Code) -> StatusCode {
    let status = match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Takes the status out of header fields or trailers.
pub(super) fn take_status(fields: &mut HeaderMap) -> Status {
    let code = fields.remove(GRPC_STATUS);
    let message = fields.remove(GRPC_MESSAGE);
    let message = message.map(|message| decode_message(message.as_bytes()));
    Status {
        code: code.map_or(Code::Unknown, |code| decode_code(code.as_bytes())),
        message: message.unwrap_or_default().into(),
        details: fields.remove(GRPC_STATUS_DETAILS),
    }
}

/// The part of google.rpc.Status that only details are in.
#[derive(Clone, PartialEq, prost::Message)]
struct StatusDetails {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// The details of a status; none if they are malformed.
pub(super) fn details(status: &Status) -> Vec<prost_types::Any> {
    let Some(value) = &status.details else {
        return Vec::new();
    };
    let bytes = BASE64_STANDARD_NO_PAD
        .decode(value.as_bytes())
        .or_else(|_| BASE64_STANDARD.decode(value.as_bytes()));
    let status = bytes
        .ok()
        .and_then(|bytes| StatusDetails::decode(bytes.as_slice()).ok());
    status.unwrap_or_default().details
}

/// Takes the metadata out of the fields of a response, and the name of its compression.
pub(super) fn take_metadata(fields: &mut HeaderMap) -> (HeaderMap, Option<HeaderValue>) {
    let mut metadata = std::mem::take(fields);
    metadata.remove(header::CONTENT_TYPE);
    metadata.remove(GRPC_ACCEPT_ENCODING);
    let encoding = metadata.remove(GRPC_ENCODING);
    (metadata, encoding)
}

pub(super) fn known(encoding: Option<&HeaderValue>) -> Option<Encoding> {
    NamedEncoding::read(encoding.map(HeaderValue::as_bytes)).known()
}

/// A call that has ended with one message, or without one.
pub(super) struct Answer {
    /// The message, or why there is none.
    pub(super) message: Result<Message, Status>,
    /// How the message is compressed, if it is.
    pub(super) encoding: Option<Encoding>,
    pub(super) rest: AnswerRest,
}

/// What an answer has besides its message.
#[derive(Default)]
pub(super) struct AnswerRest {
    metadata: HeaderMap,
    trailers: HeaderMap,
    slot: Option<Slot>,
}

impl Answer {
    pub(super) async fn read(response: Response<ResponseBody>) -> Self {
        let (mut head, body) = response.into_parts();
        let (mut metadata, encoding) = take_metadata(&mut head.headers);
        let encoding = known(encoding.as_ref());
        let Ok(mut body) = body.into_whole().await else {
            // Only a stream is aborted.
            return Self {
                message: Err(Status::new(Code::Internal, "the call was aborted")),
                encoding,
                rest: AnswerRest::default(),
            };
        };
        let is_trailers_only = metadata.contains_key(GRPC_STATUS);
        let status = take_status(if is_trailers_only {
            &mut metadata
        } else {
            &mut body.trailers
        });
        Self {
            message: match status.code {
                Code::Ok => one_message(body.message),
                _ => Err(status),
            },
            encoding,
            rest: AnswerRest {
                metadata,
                trailers: body.trailers,
                slot: body.slot,
            },
        }
    }
}

fn one_message(bytes: Bytes) -> Result<Message, Status> {
    // Its size has been checked.
    let mut decoder = Decoder::new(usize::MAX);
    decoder.push(bytes);
    match decoder.decode() {
        Ok(Some(message)) => Ok(message),
        _ => Err(Status::new(
            Code::Internal,
            "the application's answer is malformed",
        )),
    }
}

/// The content of a response.
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) media_type: HeaderValue,
    pub(super) encoding: Option<Encoding>,
}

impl Content {
    pub(super) fn response(self, status: StatusCode) -> Response<ResponseBody> {
        let length = HeaderValue::from(self.bytes.len());
        let mut response = Response::new(ResponseBody::content(self.bytes));
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, self.media_type);
        fields.insert(header::CONTENT_LENGTH, length);
        if let Some(encoding) = self.encoding {
            let name = HeaderValue::from_static(encoding.name());
            fields.insert(header::CONTENT_ENCODING, name);
        }
        response
    }
}

impl AnswerRest {
    /// Adds it to a response. As Connect has it: "Trailing metadata … is sent as HTTP headers prefixed with trailer-".
    pub(super) fn add_to(self, mut response: Response<ResponseBody>) -> Response<ResponseBody> {
        let fields = response.headers_mut();
        for (name, value) in &self.metadata {
            fields.append(name, value.clone());
        }
        for (name, value) in &self.trailers {
            if let Ok(name) = HeaderName::try_from(format!("trailer-{name}")) {
                fields.append(name, value.clone());
            }
        }
        match self.slot {
            Some(slot) => response.map(|body| body.in_slot(slot)),
            None => response,
        }
    }
}
