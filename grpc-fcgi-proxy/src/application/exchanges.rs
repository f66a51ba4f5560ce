//! Runs a script for each call, in a FastCGI exchange of its own.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::answers::Answers;
use super::error::ApplicationError;
use crate::binding::variables::{self, Input, Variables};
use crate::fastcgi::exchange::Exchange;
use crate::fastcgi::pool::Pool;
use crate::metrics::exchanges::ExchangeMetrics;
use crate::telemetry::ApplicationLog;

/// The application behind a pool of connections to php-fpm.
#[derive(Debug)]
pub(crate) struct Exchanges {
    pool: Arc<Pool>,
    metrics: ExchangeMetrics,
}

impl Exchanges {
    pub(crate) fn new(pool: Arc<Pool>, metrics: ExchangeMetrics) -> Self {
        Self { pool, metrics }
    }

    /// Waits until the call may run, and starts its script. `requests` is the script's input, which is read only as fast
    /// as the script takes it. Dropping the answers abandons the call.
    ///
    /// The variables are built after the wait, since a waiting call should hold little memory.
    pub(crate) async fn begin<'v, R, E>(
        &self,
        input: Input,
        variables: impl FnOnce(Input) -> Variables<'v>,
        requests: R,
        log: ApplicationLog,
    ) -> Result<Answers<R>, ApplicationError>
    where
        R: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let exchange = match input {
            Input::Message { .. } => {
                let connection = self.pool.acquire().await?;
                let keep = self.pool.keeps_connections();
                let opening = variables::encode(&variables(input), keep)?;
                Exchange::new(connection, opening, requests)
            }
            Input::Stream => {
                let connection = self.pool.acquire_stream().await?;
                let opening = variables::encode(&variables(input), false)?;
                Exchange::new(connection, opening, requests).half_closing()
            }
        };
        Ok(Answers::new(exchange, self.metrics.clone(), log))
    }
}
