//! The response of a route whose method answers with a stream.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{iter, try_unfold};
use futures_util::{Stream, StreamExt};
use grpc_wire::encoding::Encoding;
use grpc_wire::status::{Code, GRPC_STATUS, Status};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::timeout;
use transcoding::rest;

use super::messages::{Messages, Written};
use super::status;
use crate::call::{Aborted, ResponseBody};
use crate::server::front_ends::answer::{known, take_metadata, take_status};
use crate::server::front_ends::codec::{Answers, Next};
use crate::server::front_ends::encoding::accepted_names;

/// What a browser asks for with EventSource:
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
const EVENTS: &str = "text/event-stream";
/// "Authors … can include a comment line … every 15 seconds or so", since proxies drop connections that are silent.
const MAX_SILENCE: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b":\n\n";

/// How messages follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A line of JSON each.
    Lines,
    /// A server-sent event each.
    Events,
    /// The content of google.api.HttpBody.
    Raw,
}

impl Format {
    /// `None` if the answer is one message.
    pub(super) fn of(messages: &Messages, headers: &HeaderMap) -> Option<Self> {
        let route = messages.found.route();
        if !route.server_streaming() {
            return None;
        }
        if route.response_body() == rest::ResponseBody::Raw {
            return Some(Self::Raw);
        }
        let mut accepted = headers.get_all(header::ACCEPT).iter();
        let events =
            accepted.any(|list| accepted_names(list).any(|name| name.eq_ignore_ascii_case(EVENTS)));
        Some(if events { Self::Events } else { Self::Lines })
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => EVENTS,
            Self::Raw => "application/octet-stream",
        }
    }

    fn add_fields(self, fields: &mut HeaderMap, media_type: HeaderValue) {
        fields.insert(header::CONTENT_TYPE, media_type);
        if self != Self::Raw {
            fields.append(header::VARY, HeaderValue::from_static("accept"));
        }
        if self == Self::Events {
            let no_cache = HeaderValue::from_static("no-cache");
            fields.entry(header::CACHE_CONTROL).or_insert(no_cache);
        }
    }

    fn message(self, content: Bytes) -> Bytes {
        match self {
            Self::Lines => [&content[..], b"\n"].concat().into(),
            Self::Events => [b"data: ", &content[..], b"\n\n"].concat().into(),
            Self::Raw => content,
        }
    }

    /// The end of the stream. EventSource would begin it again, unless its page is told. `None` if nothing can say it.
    fn end(self, messages: &Messages, status: &Status) -> Option<Bytes> {
        let json = || status::json(&messages.json.schema, status);
        match self {
            Self::Events => Some(
                [b"event: status\ndata: ", &json()[..], b"\n\n"]
                    .concat()
                    .into(),
            ),
            Self::Lines if status.code != Code::Ok => {
                Some([b"{\"error\":", &json()[..], b"}\n"].concat().into())
            }
            Self::Lines | Self::Raw => None,
        }
    }
}

/// A response on its way.
struct Streaming {
    messages: Messages,
    format: Format,
    encoding: Option<Encoding>,
    answers: Answers,
}

/// Turns a response into content of the format.
pub(super) async fn answer(
    mut response: Response<ResponseBody>,
    messages: Messages,
    format: Format,
) -> Response<ResponseBody> {
    let (mut metadata, encoding) = take_metadata(response.headers_mut());
    if metadata.contains_key(GRPC_STATUS) {
        let status = take_status(&mut metadata);
        return ended(&messages, format, &status, metadata);
    }
    let (head, body) = response.into_parts();
    let mut streaming = Streaming {
        answers: messages.json.answers(body),
        encoding: known(encoding.as_ref()),
        messages,
        format,
    };
    let (first, media_type) = match format {
        // The first message has the type of the content.
        Format::Raw => match streaming.first().await {
            Ok(first) => (Some(first.content), first.media_type),
            Err(status) => return ended(&streaming.messages, format, &status, metadata),
        },
        _ => (None, HeaderValue::from_static(format.media_type())),
    };
    let body = ResponseBody::translated(StreamBody::new(streaming.frames(first)));
    let mut response = Response::from_parts(head, body);
    *response.headers_mut() = metadata;
    format.add_fields(response.headers_mut(), media_type);
    response
}

/// A call that ended before its first message.
fn ended(
    messages: &Messages,
    format: Format,
    status: &Status,
    metadata: HeaderMap,
) -> Response<ResponseBody> {
    let mut response = match status.code {
        Code::Ok => {
            let end = format.end(messages, status).unwrap_or_default();
            let mut response = Response::new(ResponseBody::content(end));
            let media_type = HeaderValue::from_static(format.media_type());
            format.add_fields(response.headers_mut(), media_type);
            response
        }
        _ => status::response(&messages.json.schema, status),
    };
    for (name, value) in &metadata {
        response.headers_mut().append(name, value.clone());
    }
    response
}

impl Streaming {
    async fn first(&mut self) -> Result<Written, Status> {
        match self.answers.next().await {
            Ok(Next::Message(message)) => self
                .messages
                .write(message, self.encoding)
                .await
                .map_err(|error| error.status()),
            Ok(Next::Trailers(mut trailers)) => Err(take_status(&mut trailers)),
            Err(Aborted) => Err(Status::new(Code::Unavailable, "the call was aborted")),
        }
    }

    /// The content of the response, after `first`.
    fn frames(
        self,
        first: Option<Bytes>,
    ) -> impl Stream<Item = Result<Frame<Bytes>, Aborted>> + Send + 'static {
        let first = iter(first.map(|content| Ok(Frame::data(content))));
        first.chain(try_unfold(Some(self), |open| async move {
            let Some(mut streaming) = open else {
                return Ok(None);
            };
            Ok(match streaming.step().await? {
                Step::Content(content) => Some((Frame::data(content), Some(streaming))),
                Step::End(content) => content.map(|content| (Frame::data(content), None)),
            })
        }))
    }

    async fn step(&mut self) -> Result<Step, Aborted> {
        let next = if self.format == Format::Events {
            match timeout(MAX_SILENCE, self.answers.next()).await {
                Ok(next) => next?,
                Err(_) => return Ok(Step::Content(Bytes::from_static(COMMENT))),
            }
        } else {
            self.answers.next().await?
        };
        let status = match next {
            Next::Message(message) => match self.messages.write(message, self.encoding).await {
                Ok(written) => return Ok(Step::Content(self.format.message(written.content))),
                Err(error) => error.status(),
            },
            Next::Trailers(mut trailers) => take_status(&mut trailers),
        };
        match self.format.end(&self.messages, &status) {
            // Only an incomplete response shows that this content is not whole.
            None if status.code != Code::Ok => Err(Aborted),
            end => Ok(Step::End(end)),
        }
    }
}

/// What comes next in a response.
enum Step {
    Content(Bytes),
    /// The end, with the last content.
    End(Option<Bytes>),
}
