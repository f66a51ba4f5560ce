//! Responses to the client: header fields, and a body.

use bytes::Bytes;
use grpc_wire::content_type;
use grpc_wire::encoding::{ACCEPTED, Encoding, GRPC_ACCEPT_ENCODING, GRPC_ENCODING};
use grpc_wire::metadata::RETRY_PUSHBACK;
use grpc_wire::status::{Code, Status};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use tokio::sync::mpsc;

use super::error::CallError;
use super::response_body::ResponseBody;

/// The end of a call. Every failure is a status here.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) metadata: HeaderMap,
    pub(super) trailers: HeaderMap,
    /// The only message, with its prefix; `None` if there is none, or if it has been sent.
    pub(super) message: Option<Bytes>,
    pub(super) encoding: Option<Encoding>,
}

impl Outcome {
    pub(super) fn failed(status: Status) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// Whether a client may retry the call: it failed without a message, and without header fields before the trailers
    /// (gRFC A6). A retry pushback outweighs the order of initial metadata and status.
    pub(super) fn may_be_retried(&self) -> bool {
        let failed = self.status.code != Code::Ok && self.message.is_none();
        failed && (self.metadata.is_empty() || self.trailers.contains_key(RETRY_PUSHBACK))
    }

    /// Makes the response to such a call Trailers-Only.
    pub(super) fn in_one_block(mut self) -> Self {
        if self.may_be_retried() {
            for (name, value) in &std::mem::take(&mut self.trailers) {
                self.metadata.append(name, value.clone());
            }
        }
        self
    }

    /// Whether the response is one header block that ends the stream: "Trailers-Only".
    pub(super) fn is_trailers_only(&self) -> bool {
        self.message.is_none() && self.trailers.is_empty()
    }
}

/// The response to a call that failed before it had an answer.
pub(super) fn failed(error: &CallError) -> Response<ResponseBody> {
    whole(Outcome::failed(error.status()))
}

/// The response to a call that has ended.
pub(super) fn whole(outcome: Outcome) -> Response<ResponseBody> {
    let trailers_only = outcome.is_trailers_only();
    let Outcome {
        status,
        metadata,
        mut trailers,
        message,
        encoding,
    } = outcome;
    let mut response = head(metadata, encoding);
    if trailers_only {
        status.write(response.headers_mut());
    } else {
        status.write(&mut trailers);
        *response.body_mut() = ResponseBody::whole(message, trailers);
    }
    response
}

/// A response whose messages follow.
pub(super) fn stream(
    metadata: HeaderMap,
    encoding: Option<Encoding>,
    frames: mpsc::Receiver<Frame<Bytes>>,
) -> Response<ResponseBody> {
    let mut response = head(metadata, encoding);
    *response.body_mut() = ResponseBody::stream(frames);
    response
}

fn head(metadata: HeaderMap, encoding: Option<Encoding>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.headers_mut() = metadata;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type::GRPC);
    headers.insert(GRPC_ACCEPT_ENCODING, ACCEPTED);
    if let Some(encoding) = encoding {
        headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    response
}

#[cfg(test)]
mod tests {
    use grpc_wire::status::GRPC_STATUS;
    use http_body::Body;

    use super::*;

    #[test]
    fn a_failed_call_is_one_header_block() {
        let response = whole(Outcome::failed(Status::new(Code::NotFound, "no")));
        assert!(response.body().is_end_stream());
        let code = Code::from_bytes(response.headers()[GRPC_STATUS].as_bytes());
        assert_eq!(code, Code::NotFound);
    }
}
