//! The response to the client: its header fields, and its body of messages and trailers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::local::LocalAnswer;
use crate::grpc::encoding::{ACCEPTED, Encoding, GRPC_ACCEPT_ENCODING, GRPC_ENCODING};
use crate::grpc::status::Status;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// How a call ended. Whatever is wrong with a call is a status, never an error.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) metadata: HeaderMap,
    pub(super) trailers: HeaderMap,
    /// With its prefix, if it is still to be sent.
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
}

pub(super) fn respond(outcome: Outcome) -> Response<Answer> {
    let Outcome {
        status,
        metadata,
        mut trailers,
        message,
        encoding,
    } = outcome;
    let mut response = head(metadata, encoding);
    if message.is_none() && trailers.is_empty() {
        // "Trailers-Only": one HEADERS block that ends the stream.
        status.write(response.headers_mut());
    } else {
        status.write(&mut trailers);
        *response.body_mut() = Answer(Content::Whole {
            message,
            trailers: Some(trailers),
        });
    }
    response
}

/// A response whose messages are still to come.
pub(super) fn stream(
    metadata: HeaderMap,
    encoding: Option<Encoding>,
    frames: mpsc::Receiver<Frame<Bytes>>,
) -> Response<Answer> {
    let mut response = head(metadata, encoding);
    *response.body_mut() = Answer(Content::Stream(frames));
    response
}

fn head(metadata: HeaderMap, encoding: Option<Encoding>) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.headers_mut() = metadata;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(GRPC_ACCEPT_ENCODING, ACCEPTED);
    if let Some(encoding) = encoding {
        headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    response
}

/// The body of a response.
#[derive(Debug, Default)]
pub struct Answer(Content);

#[derive(Debug)]
enum Content {
    /// At most one message, then the trailers.
    Whole {
        message: Option<Bytes>,
        trailers: Option<HeaderMap>,
    },
    /// As they come; the last frame is the trailers.
    Stream(mpsc::Receiver<Frame<Bytes>>),
    /// Of a service that the proxy has itself.
    Local(Box<LocalAnswer>),
}

impl From<LocalAnswer> for Answer {
    fn from(body: LocalAnswer) -> Self {
        Self(Content::Local(Box::new(body)))
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole {
            message: None,
            trailers: None,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Content::Whole { message, trailers } => {
                let data = message.take().map(Frame::data);
                Poll::Ready(
                    data.or_else(|| trailers.take().map(Frame::trailers))
                        .map(Ok),
                )
            }
            Content::Stream(frames) => frames.poll_recv(cx).map(|frame| match frame {
                Some(frame) => {
                    if frame.is_trailers() {
                        self.0 = Content::default();
                    }
                    Some(Ok(frame))
                }
                // Its task was ended before it could send the trailers.
                None => Some(Err(BrokenOff)),
            }),
            Content::Local(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole { message, trailers } => message.is_none() && trailers.is_none(),
            Content::Stream(_) => false,
            Content::Local(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        // Without a hint: a length of 0 would become a content-length, which gRPC does not use.
        SizeHint::default()
    }
}

/// The response can't come to its end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call was broken off")]
pub struct BrokenOff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::status::Code;

    #[test]
    fn a_failed_call_is_one_header_block() {
        let response = respond(Outcome::failed(Status::new(Code::NotFound, "no")));
        assert!(response.body().is_end_stream());
        assert_eq!(response.headers()["grpc-status"], "5");
    }
}
