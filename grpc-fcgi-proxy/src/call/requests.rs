//! The requests of a streaming call, as PHP reads them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use grpc_wire::encoding::NamedEncoding;
use grpc_wire::frame::{FrameScanner, Piece};
use grpc_wire::message::{self, COMPRESSED, MessageError};
use grpc_wire::method::CallKind;
use http::HeaderMap;
use http_body::Body;

use super::error::CallError;
use super::request_body::RequestBody;

/// The script's input.
#[derive(Debug)]
pub(super) struct Requests {
    body: RequestBody,
    scanner: FrameScanner,
    pieces: VecDeque<Piece>,
    encoding: NamedEncoding,
    limit: usize,
    /// Whether exactly one message is required.
    one_message: bool,
    received: Arc<AtomicU64>,
}

impl Requests {
    /// Counts the messages in `received`.
    pub(super) fn new(
        body: RequestBody,
        kind: CallKind,
        headers: &HeaderMap,
        limit: usize,
        received: Arc<AtomicU64>,
    ) -> Self {
        Self {
            body,
            scanner: FrameScanner::new(limit),
            pieces: VecDeque::new(),
            encoding: NamedEncoding::of(headers),
            limit,
            one_message: kind == CallKind::ServerStream,
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
    fn plain(&self, piece: Piece) -> Result<Bytes, CallError> {
        match piece {
            Piece::Plain(bytes) => Ok(bytes),
            Piece::Flagged(COMPRESSED, content) => {
                let plain = self.encoding.decompress(&content, self.limit)?;
                Ok(message::encode(COMPRESSED, &plain))
            }
            Piece::Flagged(flags, _) => Err(CallError::RequestMessage(MessageError::Flags(flags))),
        }
    }
}

impl Stream for Requests {
    type Item = Result<Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Some(self.plain(piece)));
            }
            let this = &mut *self;
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
