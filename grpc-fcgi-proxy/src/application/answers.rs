//! The answers of a running script.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::Stream;
use grpc_wire::message;
use tokio::time::Instant;

use super::error::ApplicationError;
use crate::binding::fatal::FatalErrors;
use crate::binding::frame::CANCELLED;
use crate::binding::head::{Head, HeadError};
use crate::binding::head_decoder::HeadDecoder;
use crate::fastcgi::connection::Connection;
use crate::fastcgi::exchange::{Exchange, Output};
use crate::metrics::exchanges::{ExchangeEnd, ExchangeMetrics};
use crate::telemetry::ApplicationLog;

/// The answers of one call. They are read only as fast as the client takes them. A method that waits also sends requests
/// to the script.
#[derive(Debug)]
pub(crate) struct Answers<R> {
    exchange: Exchange<Connection, R>,
    log: ApplicationLog,
    fatal_errors: FatalErrors,
    counted: CountedExchange,
    /// Whether the worker may stay busy after the answer.
    close: bool,
}

impl<R> Answers<R> {
    pub(super) fn new(
        exchange: Exchange<Connection, R>,
        metrics: ExchangeMetrics,
        log: ApplicationLog,
    ) -> Self {
        Self {
            exchange,
            log,
            fatal_errors: FatalErrors::default(),
            counted: CountedExchange {
                metrics,
                start: Instant::now(),
                end: ExchangeEnd::Abandoned,
            },
            close: false,
        }
    }
}

impl<R, E> Answers<R>
where
    R: Stream<Item = Result<Bytes, E>> + Unpin,
    E: From<ApplicationError>,
{
    /// Reads the header fields, and the first piece of the body.
    pub(crate) async fn head(&mut self) -> Result<(Head, Bytes), E> {
        let mut decoder = HeadDecoder::default();
        loop {
            let piece = self.next().await?;
            let piece = piece.ok_or(ApplicationError::from(HeadError::NoEndOfHead))?;
            if let Some(head) = decoder.push(&piece).map_err(ApplicationError::from)? {
                self.close = head.0.close;
                return Ok(head);
            }
        }
    }

    /// Reads the next piece of the body; `None` when the script has ended, and only then is the answer complete.
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, E> {
        loop {
            let failed = |error| ApplicationError::from(error).into();
            match self.exchange.next(failed).await? {
                Some(Output::Stdout(piece)) => {
                    self.log.end_php_message();
                    return Ok(Some(piece));
                }
                Some(Output::Stderr(piece)) => {
                    self.fatal_errors.push(&piece);
                    self.log.push(&piece);
                }
                None => return Ok(None),
            }
        }
    }

    /// Whether PHP's log so far contains an error that ended the script.
    pub(crate) fn has_fatal_error(&self) -> bool {
        self.fatal_errors.found()
    }

    /// Waits for `other` without reading answers, which is the backpressure on the script.
    pub(crate) async fn paused<T>(&mut self, other: impl Future<Output = T>) -> Result<T, E> {
        let mut other = pin!(other);
        poll_fn(|cx| match self.exchange.poll_request(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => other.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Ends the script's input, even if the client still sends requests.
    pub(crate) fn end_requests(&mut self) {
        self.exchange.end_input();
    }

    /// Sends a streaming script the frame CANCELLED, unless its input has ended. No further answer is needed.
    pub(crate) fn cancel(&mut self) {
        self.exchange.abandon(message::encode(CANCELLED, &[]));
    }

    /// Counts the result, and releases the script: its place is free unless its worker is still busy.
    pub(crate) fn finish<T, F>(mut self, result: &Result<T, F>) {
        self.counted.end = match result {
            Ok(_) => ExchangeEnd::Complete,
            Err(_) => ExchangeEnd::Failed,
        };
        let (connection, progress) = self.exchange.into_connection();
        connection.release(progress, self.close);
    }
}

/// Counts the exchange when it is dropped: as abandoned, unless it was finished.
#[derive(Debug)]
struct CountedExchange {
    metrics: ExchangeMetrics,
    start: Instant,
    end: ExchangeEnd,
}

impl Drop for CountedExchange {
    fn drop(&mut self) {
        self.metrics.ended(self.end, self.start.elapsed());
    }
}
