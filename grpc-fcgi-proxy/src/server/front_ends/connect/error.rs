//! Connect's errors: JSON, and an HTTP status.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use grpc_wire::status::{Code, Status};
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::call::ResponseBody;
use crate::server::front_ends::answer::{Content, details, http_status};

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

impl ConnectError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The error of a status; `None` if it is OK.
    pub(super) fn of(status: Status) -> Option<Self> {
        (status.code != Code::Ok).then(|| status.into())
    }

    /// The response to a unary call.
    pub(super) fn response(&self) -> Response<ResponseBody> {
        let content = Content {
            bytes: serde_json::to_vec(self).unwrap_or_default().into(),
            media_type: HeaderValue::from_static("application/json"),
            encoding: None,
        };
        content.response(http_status(self.code))
    }
}

impl From<Status> for ConnectError {
    fn from(status: Status) -> Self {
        let details = details(&status).into_iter().map(|detail| Detail {
            name: detail
                .type_url
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            value: BASE64_STANDARD_NO_PAD.encode(detail.value),
        });
        Self {
            code: status.code,
            details: details.collect(),
            message: status.message.into_owned(),
        }
    }
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
