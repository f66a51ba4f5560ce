//! Why a call failed, and the one table from that to a status.
//!
//! The message that a client gets is fixed text. What PHP or the system said of it goes to the log only.

use crate::binding::head::ResponseError;
use crate::fastcgi::exchange::ExchangeError;
use crate::fastcgi::pair::PairTooLong;
use crate::fastcgi::pool::PoolError;
use crate::fastcgi::record::RecordError;
use grpc_wire::encoding::EncodingError;
use grpc_wire::message::MessageError;
use grpc_wire::metadata::MetadataTooLarge;
use grpc_wire::method::NoMethod;
use grpc_wire::status::{Code, Status};
use grpc_wire::timeout::InvalidTimeout;

/// A call that got no status from the application.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// By the client: no such path.
    #[error(transparent)]
    NoMethod(#[from] NoMethod),
    /// By the client: its timeout can't be read.
    #[error(transparent)]
    InvalidTimeout(#[from] InvalidTimeout),
    /// By the client: too many header fields.
    #[error(transparent)]
    MetadataTooLarge(#[from] MetadataTooLarge),
    /// By the client: its message can't be taken.
    #[error("request: {0}")]
    RequestMessage(MessageError),
    /// By the client: none, or several, where one message is due.
    #[error("the request does not have exactly one message")]
    MessageCount,
    /// By the client: its message can't be had plain.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// By the client: its stream broke.
    #[error("the request broke off: {0}")]
    RequestBroken(#[source] hyper::Error),
    /// By the client: what it sends by gRPC-Web broke, or is not base64.
    #[error("the gRPC-Web request: {0}")]
    WebRequest(#[source] tonic::Status),
    /// By the client: its stream stands still.
    #[error("no more of the request has come in time")]
    RequestIdle,
    /// By the proxy's limits: so many calls are here already.
    #[error("too many calls are in the proxy")]
    TooManyCalls,
    /// By time: the deadline is over.
    #[error("the deadline is over")]
    DeadlineExceeded,
    /// By the proxy, which ends before the call does.
    #[error("the drain is over")]
    Stopping,
    /// By the proxy's limits, or by php-fpm not being there.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// By the client's metadata and the application's paths together.
    #[error(transparent)]
    PairTooLong(#[from] PairTooLong),
    /// By the application, or by what is between.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// By the application: its answer is none.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// By the application: its script ended without trailers.
    #[error("the script ended before it had sent the trailers")]
    EndedEarly,
    /// By the application: its message is too large.
    #[error("answer: {0}")]
    ResponseMessage(MessageError),
}

impl CallError {
    /// What the client is told.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::NoMethod(_) => Status::new(Code::Unimplemented, "no such method"),
            Self::InvalidTimeout(_) => Status::new(Code::Internal, "malformed grpc-timeout"),
            Self::MetadataTooLarge(_) | Self::PairTooLong(_) => Status::new(
                Code::ResourceExhausted,
                "the metadata is larger than the limit",
            ),
            Self::RequestMessage(MessageError::TooLarge { .. }) => Status::new(
                Code::ResourceExhausted,
                "the request message is larger than the limit",
            ),
            Self::RequestMessage(_) | Self::WebRequest(_) => {
                Status::new(Code::Internal, "malformed request message")
            }
            Self::MessageCount => {
                Status::new(Code::Unimplemented, "the method takes exactly one message")
            }
            Self::Encoding(error) => encoding_status(error),
            Self::RequestBroken(_) => Status::new(Code::Cancelled, "the request broke off"),
            Self::RequestIdle => Status::new(
                Code::DeadlineExceeded,
                "no more of the request has come in time",
            ),
            Self::TooManyCalls => {
                Status::new(Code::ResourceExhausted, "too many calls are in the proxy")
            }
            Self::DeadlineExceeded => Status::new(Code::DeadlineExceeded, "the deadline is over"),
            Self::Stopping => Status::new(Code::Unavailable, "the proxy is stopping"),
            Self::Pool(error) => pool_status(error),
            Self::Exchange(ExchangeError::NoAnswer | ExchangeError::Io(_)) => {
                Status::new(Code::Unavailable, "the application ended without an answer")
            }
            Self::Exchange(ExchangeError::Record(RecordError::Refused(_))) => {
                Status::new(Code::Unavailable, "the application refused the call")
            }
            Self::Exchange(ExchangeError::CutShort) => Status::new(
                Code::Internal,
                "the application ended before its answer was complete",
            ),
            Self::Exchange(ExchangeError::Record(_)) | Self::Response(_) => {
                Status::new(Code::Internal, "the application's answer is malformed")
            }
            Self::EndedEarly => {
                Status::new(Code::Unknown, "the application ended before the call did")
            }
            Self::ResponseMessage(MessageError::Flags(_)) => {
                Status::new(Code::Internal, "the application's answer is malformed")
            }
            Self::ResponseMessage(_) => Status::new(
                Code::ResourceExhausted,
                "the application's answer is larger than the limit",
            ),
        }
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
        EncodingError::Malformed(_) => {
            Status::new(Code::Internal, "the message cannot be decompressed")
        }
        EncodingError::TooLarge { .. } => Status::new(
            Code::ResourceExhausted,
            "the request message is larger than the limit",
        ),
    }
}

fn pool_status(error: &PoolError) -> Status {
    match error {
        PoolError::TooManyStreams => {
            Status::new(Code::ResourceExhausted, "too many streaming calls run")
        }
        PoolError::TooManyWaiting => Status::new(
            Code::ResourceExhausted,
            "too many calls wait for the application",
        ),
        PoolError::WaitTooLong => Status::new(
            Code::ResourceExhausted,
            "no worker of the application became free in time",
        ),
        PoolError::Connect(_) => {
            Status::new(Code::Unavailable, "the application cannot be reached")
        }
    }
}
