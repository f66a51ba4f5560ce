//! The causes of failed calls, and the one table that maps them to statuses.
//!
//! The message that a client reads is fixed text, except for what is wrong in its own JSON. Details from PHP or the system go to
//! the log only.

use std::error::Error;
use std::io;

use grpc_wire::encoding::EncodingError;
use grpc_wire::message::MessageError;
use grpc_wire::metadata::MetadataTooLarge;
use grpc_wire::method::NoMethod;
use grpc_wire::status::{Code, Status};
use grpc_wire::timeout::InvalidTimeout;
use transcoding::json::{ReadError, WriteError};
use transcoding::rest::RequestError;

use crate::application::ApplicationError;
use crate::binding::answers::AnswerError;
use crate::binding::dropped::DroppedFields;
use crate::waiting::QueueError;

/// A call without a status from the application. Each variant names who failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The client: the path names no method.
    #[error(transparent)]
    NoMethod(#[from] NoMethod),
    /// The client: its timeout is malformed.
    #[error(transparent)]
    InvalidTimeout(#[from] InvalidTimeout),
    /// The client: too many header fields.
    #[error(transparent)]
    MetadataTooLarge(#[from] MetadataTooLarge),
    /// The client: its message is malformed or too large.
    #[error("request: {0}")]
    RequestMessage(MessageError),
    /// The client: no message, or several, where exactly one is required.
    #[error("the request does not have exactly one message")]
    MessageCount,
    /// The client: its message cannot be decompressed.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The client: its stream broke.
    #[error("the request was aborted: {0}")]
    RequestBroken(#[source] Box<dyn Error + Send + Sync>),
    /// The client: its gRPC-Web body broke, or is not base64.
    #[error("the gRPC-Web request: {0}")]
    WebRequest(#[source] tonic::Status),
    /// The client: its message is not the JSON of the method's.
    #[error("the request's JSON: {0}")]
    RequestJson(#[from] ReadError),
    /// The client: its HTTP request is not one of the method's.
    #[error("the HTTP request: {0}")]
    RestRequest(#[from] RequestError),
    /// The application: its message has no JSON.
    #[error("the answer as JSON: {0}")]
    AnswerJson(#[from] WriteError),
    /// The system: a message cannot be translated.
    #[error("cannot translate a message: {0}")]
    Translation(#[from] io::Error),
    /// The client: its request stalled.
    #[error("timed out waiting for the request message")]
    RequestStalled,
    /// The proxy's limits: every slot is taken.
    #[error("too many concurrent calls")]
    TooManyCalls,
    /// The client: its connection holds its share of the slots.
    #[error("too many concurrent calls on one connection")]
    TooManyCallsOfClient,
    /// The deadline.
    #[error("the deadline has expired")]
    DeadlineExceeded,
    /// The proxy: the time to drain has expired.
    #[error("the time to drain has expired")]
    Stopping,
    /// The application, the limits on it, or the connection to it.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// The application: its script ended without trailers.
    #[error("the script ended before it had sent the trailers")]
    EndedEarly,
    /// The application: too much metadata.
    #[error("the application's metadata exceeds the size limit: {0}")]
    ResponseMetadataTooLarge(DroppedFields),
    /// The application: its answer has no status, although one is required.
    #[error("the answer has no Grpc-Status, which is required")]
    NoStatus,
    /// The application: its answer violates the binding.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The response was aborted before its trailers.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call was aborted")]
pub(crate) struct Aborted;

impl CallError {
    /// Whether the call may have failed without a script that ran for it.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Stopping | Self::EndedEarly | Self::Answer(_) | Self::AnswerJson(_) => false,
            Self::Application(error) => !matches!(
                error,
                ApplicationError::WorkerReplaced
                    | ApplicationError::NoAnswer(_)
                    | ApplicationError::CutShort(_)
                    | ApplicationError::Malformed(_)
            ),
            _ => true,
        }
    }

    /// Whether the call failed because of the server: no client can make it fail so alone.
    pub(crate) fn is_servers(&self) -> bool {
        match self {
            Self::TooManyCalls
            | Self::Stopping
            | Self::EndedEarly
            | Self::ResponseMetadataTooLarge(_)
            | Self::NoStatus
            | Self::Answer(_)
            | Self::AnswerJson(_)
            | Self::Translation(_) => true,
            Self::Application(error) => !matches!(
                error,
                ApplicationError::DeadlineExpired
                    | ApplicationError::Queue(QueueError::TooManyStreamsOfClient)
                    | ApplicationError::VariablesTooLong(_)
            ),
            _ => false,
        }
    }

    /// The status that the client receives.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::NoMethod(_) => Status::new(Code::Unimplemented, "no such method"),
            Self::InvalidTimeout(error) => (*error).into(),
            Self::MetadataTooLarge(_) => metadata_too_large(),
            Self::RequestMessage(MessageError::TooLarge { .. })
            | Self::Encoding(EncodingError::TooLarge { .. }) => Status::new(
                Code::ResourceExhausted,
                "the request message exceeds the size limit",
            ),
            Self::RequestMessage(_) | Self::WebRequest(_) => {
                Status::new(Code::Internal, "malformed request message")
            }
            Self::MessageCount => {
                Status::new(Code::Unimplemented, "the method takes exactly one message")
            }
            Self::Encoding(error) => encoding_status(error),
            Self::RequestBroken(_) => Status::new(Code::Cancelled, "the request was aborted"),
            Self::RequestJson(error) => invalid(error.to_string()),
            Self::RestRequest(error) => invalid(error.to_string()),
            Self::AnswerJson(_) | Self::Translation(_) => malformed_answer(),
            Self::RequestStalled => Status::new(
                Code::DeadlineExceeded,
                "timed out waiting for the request message",
            ),
            Self::TooManyCalls => Status::new(Code::ResourceExhausted, "too many concurrent calls"),
            Self::TooManyCallsOfClient => Status::new(
                Code::ResourceExhausted,
                "too many concurrent calls on this connection",
            ),
            Self::DeadlineExceeded => deadline_expired(),
            Self::Stopping => Status::new(Code::Unavailable, "the proxy is shutting down"),
            Self::Application(error) => application_status(error),
            Self::EndedEarly => {
                Status::new(Code::Unknown, "the application ended before the call did")
            }
            Self::ResponseMetadataTooLarge(_) => Status::new(
                Code::ResourceExhausted,
                "the application's metadata exceeds the size limit",
            ),
            Self::NoStatus => Status::new(Code::Unknown, "the application sent no status"),
            Self::Answer(AnswerError::FatalError) => {
                Status::new(Code::Internal, "the application failed during its answer")
            }
            Self::Answer(AnswerError::Message(MessageError::TooLarge { .. })) => Status::new(
                Code::ResourceExhausted,
                "the application's answer exceeds the size limit",
            ),
            Self::Answer(AnswerError::Compress(_)) => {
                Status::new(Code::Internal, "the answer cannot be compressed")
            }
            Self::Answer(_) => malformed_answer(),
        }
    }
}

fn invalid(text: String) -> Status {
    Status {
        message: text.into(),
        ..Status::new(Code::InvalidArgument, "")
    }
}

fn encoding_status(error: &EncodingError) -> Status {
    match error {
        EncodingError::NotNamed => {
            Status::new(Code::Internal, "a compressed message needs grpc-encoding")
        }
        EncodingError::Unsupported => {
            Status::new(Code::Unimplemented, "grpc-encoding is not supported")
        }
        EncodingError::Malformed(_) | EncodingError::TooLarge { .. } => {
            Status::new(Code::Internal, "the message cannot be decompressed")
        }
    }
}

fn application_status(error: &ApplicationError) -> Status {
    match error {
        ApplicationError::DeadlineExpired => deadline_expired(),
        ApplicationError::Queue(QueueError::TooManyStreams) => Status::new(
            Code::ResourceExhausted,
            "too many concurrent streaming calls",
        ),
        ApplicationError::Queue(QueueError::TooManyStreamsOfClient) => Status::new(
            Code::ResourceExhausted,
            "too many concurrent streaming calls on this connection",
        ),
        ApplicationError::Queue(QueueError::TooManyWaiting) => Status::new(
            Code::ResourceExhausted,
            "too many calls are waiting for the application",
        ),
        ApplicationError::Queue(QueueError::WaitTooLong) => Status::new(
            Code::ResourceExhausted,
            "no application worker became free in time",
        ),
        ApplicationError::NoWorkers => Status::new(
            Code::Unavailable,
            "the application's workers are not available",
        ),
        ApplicationError::WorkerReplaced => Status::new(
            Code::Unavailable,
            "the application's worker is being replaced",
        ),
        ApplicationError::Unreachable(_) => {
            Status::new(Code::Unavailable, "the application is unreachable")
        }
        ApplicationError::Unresolved(_) => {
            Status::new(Code::Unavailable, "the application's script does not exist")
        }
        ApplicationError::VariablesTooLong(_) => metadata_too_large(),
        ApplicationError::NoAnswer(_) => Status::new(
            Code::Unavailable,
            "the application closed the connection without an answer",
        ),
        ApplicationError::Refused(_) => {
            Status::new(Code::Unavailable, "the application refused the call")
        }
        ApplicationError::CutShort(_) => Status::new(
            Code::Internal,
            "the application closed the connection before its answer was complete",
        ),
        ApplicationError::Malformed(_) => malformed_answer(),
    }
}

fn deadline_expired() -> Status {
    Status::new(Code::DeadlineExceeded, "the deadline has expired")
}

fn metadata_too_large() -> Status {
    Status::new(
        Code::ResourceExhausted,
        "the metadata exceeds the size limit",
    )
}

fn malformed_answer() -> Status {
    Status::new(Code::Internal, "the application's answer is malformed")
}
