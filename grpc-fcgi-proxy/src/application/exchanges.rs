//! Runs a script for each call, in a FastCGI exchange of its own, or gives the call to a resident worker.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::Stream;

use super::answers::Answers;
use super::error::ApplicationError;
use crate::binding::sink::Sink;
use crate::binding::variables::{Input, Variables};
use crate::fastcgi::exchange::Exchange;
use crate::fastcgi::pair::{PairTooLong, ParamsEncoder};
use crate::fastcgi::pool::Pool;
use crate::fastcgi::record;
use crate::metrics::exchanges::ExchangeMetrics;
use crate::resident::{ResidentCall, Residents};
use crate::share::Holdings;
use crate::spans::{CallSpan, Event};
use crate::telemetry::ApplicationLog;

/// Holds BEGIN_REQUEST and the variables of a usual call, and a small message behind them, without growing.
const USUAL_SIZE: usize = 2048;

/// The application behind php-fpm.
#[derive(Debug)]
pub(crate) struct Application {
    pool: Arc<Pool>,
    metrics: ExchangeMetrics,
    residents: Option<Arc<Residents>>,
}

impl Application {
    /// Calls run in `residents`, if there are any, except those that are kept out of them.
    pub(crate) fn new(
        pool: Arc<Pool>,
        metrics: ExchangeMetrics,
        residents: Option<Arc<Residents>>,
    ) -> Self {
        Self {
            pool,
            metrics,
            residents,
        }
    }

    /// When the last call has ended.
    pub(crate) async fn end(&self) {
        if let Some(residents) = &self.residents {
            residents.end().await;
        }
    }

    /// Waits until the call may run, and starts its script. `requests` is the script's input, which is read only as fast
    /// as the script takes it; `client` is its connection, `span` records its waits. Dropping the answers abandons the call.
    pub(crate) async fn begin<R, E>(
        &self,
        variables: &Variables<'_>,
        requests: R,
        client: &Holdings,
        log: ApplicationLog,
        span: &CallSpan,
    ) -> Result<Answers<R>, ApplicationError>
    where
        R: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        span.record(Event::Waiting);
        if let Some(residents) = &self.residents
            && let Some(group) = residents.of(variables)
        {
            // Only polls what has arrived of the requests.
            let cx = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let mut cx = Context::from_waker(&cx);
            let call = ResidentCall::begin(group, variables, requests, client, log, span, &mut cx)?;
            return Ok(Answers::of_resident(call, group.call_metrics(), span));
        }
        let exchange = match variables.input {
            Input::Message { .. } => {
                let connection = self.pool.acquire(client).await?;
                // Encoded after the wait: thousands of waiting unary calls should hold little memory.
                let opening = opening(variables, self.pool.keeps_connections())?;
                Exchange::new(connection, opening, requests)
            }
            Input::Stream => {
                let opening = opening(variables, false)?;
                let connection = self.pool.acquire_stream(client).await?;
                Exchange::new(connection, opening, requests).half_closing()
            }
        };
        span.record(Event::Exchange);
        // Nothing has been sent yet: no script may run for a client that has stopped waiting.
        if variables.deadline.is_some_and(|at| at <= SystemTime::now()) {
            return Err(ApplicationError::DeadlineExpired);
        }
        Ok(Answers::of_exchange(
            exchange,
            self.metrics.clone(),
            log,
            span,
        ))
    }
}

/// Encodes the opening for the script as its path resolves now.
fn opening(variables: &Variables<'_>, keep_connection: bool) -> Result<Vec<u8>, ApplicationError> {
    let script = variables.script.current()?;
    let variables = Variables {
        script: &script,
        ..*variables
    };
    Ok(encode_opening(&variables, keep_connection)?)
}

impl Sink for ParamsEncoder {
    type Error = PairTooLong;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), PairTooLong> {
        Self::push(self, name, value)
    }
}

/// Encodes BEGIN_REQUEST and the whole PARAMS stream of a call.
///
/// # Errors
///
/// If a variable does not fit in a record.
pub fn encode_opening(
    variables: &Variables<'_>,
    keep_connection: bool,
) -> Result<Vec<u8>, PairTooLong> {
    let mut out = Vec::with_capacity(USUAL_SIZE);
    record::encode_begin_request(keep_connection, &mut out);
    let mut params = ParamsEncoder::begin(out);
    variables.write(&mut params)?;
    Ok(params.end())
}
