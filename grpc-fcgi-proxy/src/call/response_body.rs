//! The response to the client: its header fields, and its body of messages and trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::builtin::LocalAnswer;
use super::open::OpenCall;
use super::slots::Place;
use grpc_wire::encoding::{ACCEPTED, Encoding, GRPC_ACCEPT_ENCODING, GRPC_ENCODING};
use grpc_wire::status::Status;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// Bytes of a message that HTTP/2 gets at once. What it has it keeps for a client that does not take it, and the call
/// would no longer count.
const PIECE: usize = 64 * 1024;

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
        *response.body_mut() = Answer::from(Content::Whole {
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
    *response.body_mut() = Content::Stream(frames).into();
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
#[allow(dead_code, reason = "some is held until it is dropped")]
pub struct Answer {
    content: Content,
    place: Option<Place>,
    open: Option<OpenCall>,
}

impl Answer {
    /// Holds the call's place until the client has taken the answer.
    pub(super) fn in_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Is open on its connection as long.
    #[must_use]
    pub fn of(mut self, open: OpenCall) -> Self {
        self.open = Some(open);
        self
    }
}

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
    /// As gRPC-Web has it.
    Web(tonic::body::Body),
}

impl From<Content> for Answer {
    fn from(content: Content) -> Self {
        Self {
            content,
            ..Self::default()
        }
    }
}

impl From<tonic::body::Body> for Answer {
    fn from(body: tonic::body::Body) -> Self {
        Content::Web(body).into()
    }
}

impl From<LocalAnswer> for Answer {
    fn from(body: LocalAnswer) -> Self {
        Content::Local(Box::new(body)).into()
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

impl Content {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self {
            Self::Whole { message, trailers } => {
                let frame = next_piece(message).map(Frame::data);
                let frame = frame.or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            // Without trailers its task was ended before it could send them.
            Self::Stream(frames) => frames
                .poll_recv(cx)
                .map(|frame| Some(frame.ok_or(BrokenOff))),
            Self::Local(body) => Pin::new(body).poll_frame(cx),
            Self::Web(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|_| BrokenOff))),
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
        let frame = ready!(self.content.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && frame.is_trailers()
        {
            // The next call of a client that has these must not be refused for this one.
            *self = Self::default();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole { message, trailers } => message.is_none() && trailers.is_none(),
            Content::Stream(_) => false,
            Content::Local(body) => body.is_end_stream(),
            Content::Web(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        // Without a hint: a length of 0 would become a content-length, which gRPC does not use.
        SizeHint::default()
    }
}

fn next_piece(message: &mut Option<Bytes>) -> Option<Bytes> {
    let mut rest = message.take()?;
    let piece = rest.split_to(rest.len().min(PIECE));
    *message = Some(rest).filter(|rest| !rest.is_empty());
    Some(piece)
}

/// The response can't come to its end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call was broken off")]
pub struct BrokenOff;

#[cfg(test)]
mod tests {
    use super::*;
    use grpc_wire::status::Code;

    #[test]
    fn a_failed_call_is_one_header_block() {
        let response = respond(Outcome::failed(Status::new(Code::NotFound, "no")));
        assert!(response.body().is_end_stream());
        assert_eq!(response.headers()["grpc-status"], "5");
    }
}
