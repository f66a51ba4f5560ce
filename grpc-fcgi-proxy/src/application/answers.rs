//! What a script answers, while it is running.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::Stream;
use grpc_wire::message;
use tokio::time::Instant;

use super::error::ApplicationError;
use crate::binding::frame::CANCELLED;
use crate::binding::head::{Head, HeadError};
use crate::binding::head_decoder::HeadDecoder;
use crate::fastcgi::connection::Connection;
use crate::fastcgi::exchange::{Exchange, Output};
use crate::metrics::exchanges::{ExchangeEnd, ExchangeMetrics};
use crate::telemetry::ApplicationLog;

/// The answers of one call. They come only as fast as they are read. Every method that waits passes requests on to the
/// script meanwhile, and what the script logs to its log.
#[derive(Debug)]
pub(crate) struct Answers<R> {
    exchange: Exchange<Connection, R>,
    log: ApplicationLog,
    counted: CountedExchange,
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
            counted: CountedExchange {
                metrics,
                start: Instant::now(),
                end: ExchangeEnd::Abandoned,
            },
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
            let piece = piece.ok_or(ApplicationError::Head(HeadError::NoEndOfHead))?;
            if let Some(head) = decoder.push(&piece).map_err(ApplicationError::Head)? {
                return Ok(head);
            }
        }
    }

    /// Reads the next piece of the body; `None` when the script has ended, and only then is the answer complete. The
    /// future can be dropped without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, E> {
        loop {
            let output = poll_fn(|cx| match self.exchange.poll_request(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => self
                    .exchange
                    .poll_answer(cx)
                    .map_err(|error| ApplicationError::Exchange(error).into()),
            });
            match output.await? {
                Some(Output::Stdout(piece)) => return Ok(Some(piece)),
                Some(Output::Stderr(piece)) => self.log.push(&piece),
                None => return Ok(None),
            }
        }
    }

    /// Waits for something else. No answers are read meanwhile: that is the backpressure on the script.
    pub(crate) async fn paused<T>(&mut self, other: impl Future<Output = T>) -> Result<T, E> {
        let mut other = pin!(other);
        poll_fn(|cx| match self.exchange.poll_request(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => other.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Ends the script's input, whatever the client still sends.
    pub(crate) fn end_requests(&mut self) {
        self.exchange.end_input();
    }

    /// Tells a streaming script that its client has gone, if the script still reads. The answers are of no use then.
    pub(crate) fn cancel(&mut self) {
        self.exchange.abandon(message::encode(CANCELLED, &[]));
    }

    /// Counts the result, and frees the script's place.
    pub(crate) fn finish<T, F>(mut self, result: &Result<T, F>) {
        self.counted.end = match result {
            Ok(_) => ExchangeEnd::Complete,
            Err(_) => ExchangeEnd::Failed,
        };
        let (connection, progress) = self.exchange.into_connection();
        connection.release(progress);
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
