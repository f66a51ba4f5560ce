//! The FastCGI request that runs a resident worker. It stays open for as long as the worker's script runs.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Empty};
use tokio::time::{Instant, timeout};

use super::listener::WorkerAddress;
use crate::binding::launch::LaunchVariables;
use crate::binding::route::Script;
use crate::fastcgi::exchange::{Exchange, ExchangeError, Output};
use crate::fastcgi::pair::{PairTooLong, ParamsEncoder};
use crate::fastcgi::record;
use crate::fastcgi::socket::Socket;
use crate::fastcgi::target::{ConnectError, Target};
use crate::telemetry::WorkerLog;

/// The bytes of STDOUT that are kept for the log.
const MAX_OUTPUT: usize = 4 * 1024;
/// Ends a message on STDERR, which otherwise ends with the next one: an idle worker writes none for hours. Pieces of a message
/// come together.
const MESSAGE_PAUSE: Duration = Duration::from_millis(100);

/// Why a worker could not be launched.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Variables(#[from] PairTooLong),
    #[error("cannot determine the address for the worker: {0}")]
    Address(#[source] std::io::Error),
}

/// A script that runs, or waits for a worker of php-fpm.
#[derive(Debug)]
pub(super) struct Launch {
    exchange: Exchange<Socket, Empty<Result<Bytes, ExchangeError>>>,
    log: WorkerLog,
    output: Vec<u8>,
}

/// How the script ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if it ended as scripts do, possibly with a fatal error.
    pub(super) error: Option<ExchangeError>,
    /// The beginning of what it has printed.
    pub(super) output: String,
}

/// What a launch needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaunchRequest<'a> {
    pub(super) script: &'a Script,
    pub(super) address: &'a WorkerAddress,
    pub(super) secret: &'a [u8],
    pub(super) streams: usize,
    pub(super) max_memory: u64,
}

impl Launch {
    /// Connects to php-fpm, whose backlog may be full until `give_up`.
    pub(super) async fn begin(
        target: &Target,
        request: LaunchRequest<'_>,
        log: WorkerLog,
        give_up: Instant,
    ) -> Result<Self, LaunchError> {
        let socket = target.connect(give_up).await?;
        let address = request.address.seen_from(&socket);
        let address = address.map_err(LaunchError::Address)?;
        let mut opening = Vec::new();
        record::encode_begin_request(false, &mut opening);
        let mut params = ParamsEncoder::begin(opening);
        let variables = LaunchVariables {
            script: request.script,
            address: &address,
            secret: request.secret,
            streams: request.streams,
            max_memory: request.max_memory,
        };
        variables.write(&mut params)?;
        Ok(Self {
            exchange: Exchange::new(socket, params.end(), stream::empty()),
            log,
            output: Vec::new(),
        })
    }

    /// Logs what the script writes to STDERR until it ends. Cancel safe.
    pub(super) async fn ended(&mut self) -> Ended {
        let error = loop {
            let next = self.exchange.next(std::convert::identity);
            let next = if self.log.in_php_message() {
                let Ok(next) = timeout(MESSAGE_PAUSE, next).await else {
                    self.log.end_php_message();
                    continue;
                };
                next
            } else {
                next.await
            };
            match next {
                Ok(Some(Output::Stderr(text))) => self.log.push(&text),
                Ok(Some(Output::Stdout(text))) => {
                    let room = MAX_OUTPUT.saturating_sub(self.output.len());
                    self.output.extend_from_slice(&text[..text.len().min(room)]);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        Ended {
            error,
            output: String::from_utf8_lossy(body(&self.output)).into_owned(),
        }
    }
}

/// What follows the header fields, or all if there are none.
fn body(output: &[u8]) -> &[u8] {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(output, |end| &output[end + 4..]).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_worker_is_logged_without_header_fields() {
        assert_eq!(body(b"Content-type: text/html\r\n\r\nhi\n"), b"hi");
        assert_eq!(body(b"hi"), b"hi");
        assert_eq!(body(b""), b"");
    }
}
