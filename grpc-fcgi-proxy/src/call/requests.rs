//! The requests of a streaming call, as PHP reads them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{FutureExt, Stream};
use grpc_wire::encoding::{EncodingError, NamedEncoding};
use grpc_wire::frame::{FrameScanner, Piece};
use grpc_wire::message::{self, COMPRESSED, MessageError};
use grpc_wire::method::CallKind;
use http_body::Body;

use super::compression::{Compression, IN_PLACE, Work};
use super::error::CallError;
use super::request::CallRequest;
use super::request_body::RequestBody;

/// Other calls have their turn after messages of this size, compressed.
const TURN: usize = 4 * IN_PLACE;

/// The script's input.
pub(super) struct Requests {
    body: RequestBody,
    scanner: FrameScanner,
    pieces: VecDeque<Piece>,
    encoding: NamedEncoding,
    compression: Compression,
    /// The message that is being decompressed; the pieces behind it wait.
    decompressing: Option<Work<EncodingError>>,
    /// The size of the messages that were decompressed since other calls had their turn.
    decompressed: usize,
    limit: usize,
    /// Whether exactly one message is required.
    one_message: bool,
    received: Arc<AtomicU64>,
}

impl Requests {
    /// Counts the messages in `received`.
    pub(super) fn new(body: RequestBody, call: &CallRequest<'_>, received: Arc<AtomicU64>) -> Self {
        let limit = call.bridge.limits.receive_message;
        Self {
            body,
            scanner: FrameScanner::new(limit),
            pieces: VecDeque::new(),
            encoding: NamedEncoding::of(call.headers()),
            compression: call.bridge.compression.clone(),
            decompressing: None,
            decompressed: 0,
            limit,
            one_message: call.kind == CallKind::ServerStream,
            received,
        }
    }

    fn push(&mut self, bytes: Bytes) -> Result<(), CallError> {
        self.scanner
            .push(bytes, &mut self.pieces)
            .map_err(CallError::RequestMessage)?;
        self.received
            .store(self.scanner.messages(), Ordering::Relaxed);
        if self.one_message && self.scanner.messages() > 1 {
            Err(CallError::MessageCount)
        } else {
            Ok(())
        }
    }

    fn finish(&self) -> Result<(), CallError> {
        self.scanner.finish().map_err(CallError::RequestMessage)?;
        if self.one_message && self.scanner.messages() != 1 {
            Err(CallError::MessageCount)
        } else {
            Ok(())
        }
    }

    /// PHP reads plain messages; the flag marks those that the client compressed.
    fn poll_plain(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallError>>> {
        loop {
            if let Some(work) = &mut self.decompressing {
                let plain = ready!(work.poll_unpin(cx));
                self.decompressing = None;
                let message = plain.map(|plain| message::encode(COMPRESSED, &plain));
                return Poll::Ready(Some(message.map_err(CallError::from)));
            }
            if self.decompressed > TURN {
                self.decompressed = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.pieces.pop_front() {
                Some(Piece::Plain(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Piece::Flagged(COMPRESSED, content)) => {
                    self.decompressed += content.len();
                    let work = self
                        .compression
                        .decompress(self.encoding, content, self.limit);
                    self.decompressing = Some(work);
                }
                Some(Piece::Flagged(flags, _)) => {
                    let error = CallError::RequestMessage(MessageError::Flags(flags));
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Requests {
    type Item = Result<Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(message) = ready!(this.poll_plain(cx)) {
                return Poll::Ready(Some(message));
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && let Err(error) = this.push(bytes)
                    {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(this.finish().err().map(Err)),
            }
        }
    }
}
