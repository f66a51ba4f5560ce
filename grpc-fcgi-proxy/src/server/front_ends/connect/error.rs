//! Connect's errors: JSON, and an HTTP status.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use grpc_wire::status::{
    Code, GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS, decode_code, decode_message,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use prost::Message;
use serde::Serialize;

use crate::call::ResponseBody;

/// A status that is not OK, as Connect writes it.
#[derive(Debug, Serialize)]
pub(super) struct ConnectError {
    #[serde(serialize_with = "name_of")]
    code: Code,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

/// A message with the name of its type.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(rename = "type")]
    name: String,
    /// In base64, without padding.
    value: String,
}

/// The part of google.rpc.Status that only details are in.
#[derive(Clone, PartialEq, Message)]
struct StatusDetails {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

impl ConnectError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// Takes the status out of header fields or trailers. `None` if it is OK.
    pub(super) fn take(fields: &mut HeaderMap) -> Option<Self> {
        let code = fields.remove(GRPC_STATUS);
        let message = fields.remove(GRPC_MESSAGE);
        let details = fields.remove(GRPC_STATUS_DETAILS);
        let code = code.map_or(Code::Unknown, |code| decode_code(code.as_bytes()));
        (code != Code::Ok).then(|| Self {
            code,
            message: message.map_or_else(String::new, |message| decode_message(message.as_bytes())),
            details: details.map_or_else(Vec::new, |details| decode_details(&details)),
        })
    }

    /// The response to a unary call.
    pub(super) fn response(&self) -> Response<ResponseBody> {
        let json = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        let mut response = Response::new(ResponseBody::content(json.clone()));
        *response.status_mut() = self.http_status();
        let fields = response.headers_mut();
        fields.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
        response
    }

    /// <https://connectrpc.com/docs/protocol/#error-codes>.
    fn http_status(&self) -> StatusCode {
        let status = match self.code {
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
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => 500,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn decode_details(value: &HeaderValue) -> Vec<Detail> {
    let bytes = BASE64_STANDARD_NO_PAD
        .decode(value.as_bytes())
        .or_else(|_| BASE64_STANDARD.decode(value.as_bytes()));
    let status = bytes
        .ok()
        .and_then(|bytes| StatusDetails::decode(bytes.as_slice()).ok());
    let details = status.map(|status| status.details).unwrap_or_default();
    let details = details.into_iter().map(|detail| Detail {
        name: detail
            .type_url
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
        value: BASE64_STANDARD_NO_PAD.encode(detail.value),
    });
    details.collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn name_of<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match code {
        Code::Cancelled => "canceled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
        Code::Ok | Code::Unknown => "unknown",
    })
}
