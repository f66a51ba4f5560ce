//! The answers of a running script.

use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, ready};

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
use crate::resident::ResidentCall;
use crate::spans::{CallSpan, Event};
use crate::telemetry::ApplicationLog;

/// The answers of one call. They are read only as fast as the client takes them. A method that waits also sends requests
/// to the script.
pub(crate) struct Answers<R: Stream> {
    source: Source<R>,
    counted: CountedExchange,
    span: CallSpan,
}

/// How the script runs.
#[allow(
    clippy::large_enum_variant,
    reason = "the future of every call has room for the larger one anyway"
)]
enum Source<R: Stream> {
    Exchange(OwnExchange<R>),
    Resident(ResidentCall<R>),
}

/// The exchange of a script that runs for this call.
#[derive(Debug)]
struct OwnExchange<R> {
    exchange: Exchange<Connection, R>,
    log: ApplicationLog,
    fatal_errors: FatalErrors,
    /// Whether the worker may stay busy after the answer.
    close: bool,
}

impl<R: Stream> Answers<R> {
    pub(super) fn of_exchange(
        exchange: Exchange<Connection, R>,
        metrics: ExchangeMetrics,
        log: ApplicationLog,
        span: &CallSpan,
    ) -> Self {
        let exchange = OwnExchange {
            exchange,
            log,
            fatal_errors: FatalErrors::default(),
            close: false,
        };
        Self {
            source: Source::Exchange(exchange),
            counted: CountedExchange::new(metrics),
            span: span.clone(),
        }
    }

    pub(super) fn of_resident(
        call: ResidentCall<R>,
        metrics: ExchangeMetrics,
        span: &CallSpan,
    ) -> Self {
        Self {
            source: Source::Resident(call),
            counted: CountedExchange::new(metrics),
            span: span.clone(),
        }
    }
}

impl<R, E> OwnExchange<R>
where
    R: Stream<Item = Result<Bytes, E>> + Unpin,
    E: From<ApplicationError>,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, E>> {
        loop {
            let failed = |error| ApplicationError::from(error).into();
            match ready!(self.exchange.poll_next(cx, failed))? {
                Some(Output::Stdout(piece)) => {
                    self.log.end_php_message();
                    return Poll::Ready(Ok(Some(piece)));
                }
                Some(Output::Stderr(piece)) => {
                    self.fatal_errors.push(&piece);
                    self.log.push(&piece);
                }
                None => return Poll::Ready(Ok(None)),
            }
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
        let mut begun = false;
        loop {
            let piece = self.next().await?;
            let piece = piece.ok_or(ApplicationError::from(HeadError::NoEndOfHead))?;
            if !mem::replace(&mut begun, true) {
                self.span.record(Event::Answer);
            }
            if let Some(head) = decoder.push(&piece).map_err(ApplicationError::from)? {
                if let Source::Exchange(exchange) = &mut self.source {
                    exchange.close = head.0.close;
                }
                return Ok(head);
            }
        }
    }

    /// Reads the next piece of the body; `None` when the script has ended, and only then is the answer complete.
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, E> {
        poll_fn(|cx| match &mut self.source {
            Source::Exchange(exchange) => exchange.poll_next(cx),
            Source::Resident(call) => {
                call.poll_next(cx, |error| ApplicationError::from(error).into())
            }
        })
        .await
    }

    /// Whether PHP's log so far contains an error that ended the script.
    pub(crate) fn has_fatal_error(&self) -> bool {
        match &self.source {
            Source::Exchange(exchange) => exchange.fatal_errors.found(),
            // Its answer has no end then.
            Source::Resident(_) => false,
        }
    }

    /// Whether a unary answer without a status fails.
    pub(crate) fn must_have_status(&self) -> bool {
        matches!(self.source, Source::Resident(_))
    }

    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        match &mut self.source {
            Source::Exchange(exchange) => exchange.exchange.poll_request(cx),
            Source::Resident(call) => call.poll_request(cx),
        }
    }

    /// Waits for `other` without reading answers, which is the backpressure on the script.
    pub(crate) async fn paused<T>(&mut self, other: impl Future<Output = T>) -> Result<T, E> {
        let mut other = pin!(other);
        poll_fn(|cx| match self.poll_request(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => other.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Ends the script's input, even if the client still sends requests.
    pub(crate) fn end_requests(&mut self) {
        match &mut self.source {
            Source::Exchange(exchange) => exchange.exchange.end_input(),
            Source::Resident(call) => call.end_input(),
        }
    }

    /// Tells a streaming script that its client has gone, if its input has not ended. No further answer is needed.
    pub(crate) fn cancel(&mut self) {
        match &mut self.source {
            Source::Exchange(exchange) => {
                exchange.exchange.abandon(message::encode(CANCELLED, &[]))
            }
            // It is told when the answers are dropped.
            Source::Resident(_) => {}
        }
    }

    /// Counts the result, and releases the script: its place is free unless its worker is still busy.
    pub(crate) fn finish<T, F>(mut self, result: &Result<T, F>) {
        self.counted.end = match result {
            Ok(_) => ExchangeEnd::Complete,
            Err(_) => ExchangeEnd::Failed,
        };
        if let Source::Exchange(exchange) = self.source {
            let (connection, progress) = exchange.exchange.into_connection();
            connection.release(progress, exchange.close);
        }
    }
}

/// Counts the exchange when it is dropped: as abandoned, unless it was finished.
#[derive(Debug)]
struct CountedExchange {
    metrics: ExchangeMetrics,
    start: Instant,
    end: ExchangeEnd,
}

impl CountedExchange {
    fn new(metrics: ExchangeMetrics) -> Self {
        Self {
            metrics,
            start: Instant::now(),
            end: ExchangeEnd::Abandoned,
        }
    }
}

impl Drop for CountedExchange {
    fn drop(&mut self) {
        self.metrics.ended(self.end, self.start.elapsed());
    }
}
