//! Boots workers that serve no call, for the command `check`.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, sleep, timeout};

use super::limits::ResidentLimits;
use super::listener::{Connected, Expected, WorkerAddress, WorkerListener};
use crate::binding::launch::LaunchVariables;
use crate::binding::route::Script;
use crate::fastcgi::target::Target;
use crate::php_fpm::page::{self, Page, PageError};

/// How long the script of a worker that has connected may run on.
const HELD: Duration = Duration::from_secs(60);

/// Where the workers connect to.
#[derive(Debug)]
pub(crate) struct Trials {
    expected: Expected,
    address: WorkerAddress,
}

/// A worker that has connected.
pub(crate) struct Guest<'a> {
    connected: Connected,
    script: LocalBoxFuture<'a, Result<Page, PageError>>,
}

/// How a trial went.
pub(crate) enum Trial<'a> {
    Connected(Guest<'a>),
    /// The script ended before it connected.
    Ended(Result<Page, PageError>),
    Timeout,
    /// The address of the proxy is unknown, or the system refuses.
    Failed(io::Error),
}

impl Trials {
    /// Accepts workers until the runtime ends.
    pub(crate) fn begin(listener: WorkerListener) -> Self {
        let (expected, address) = (Expected::default(), listener.address());
        tokio::spawn(listener.accept(expected.clone()));
        Self { expected, address }
    }

    /// The address that a worker at this target gets.
    pub(crate) async fn address(&self, target: &Target) -> io::Result<String> {
        if let WorkerAddress::Fixed(address) = &self.address {
            return Ok(address.clone());
        }
        let socket = target.connect(Instant::now()).await;
        self.address.seen_from(&socket.map_err(io::Error::other)?)
    }

    /// Boots a worker that connects to `address`.
    pub(crate) async fn boot<'a>(
        &self,
        target: &'a Target,
        script: &Script,
        address: &str,
        limits: &ResidentLimits,
    ) -> Trial<'a> {
        let mut expectation = match self.expected.expect() {
            Ok(expectation) => expectation,
            Err(error) => return Trial::Failed(error),
        };
        let variables = LaunchVariables {
            script,
            address,
            secret: &expectation.secret,
            streams: limits.streams,
            max_memory: limits.max_memory,
        };
        let params = (&variables).into();
        let time = limits.boot_timeout.saturating_add(HELD);
        let mut script = Box::pin(page::exchange(target, params, Bytes::new(), time));
        let connected = tokio::select! {
            biased;
            Ok(connected) = &mut expectation.connected => connected,
            ended = &mut script => return Trial::Ended(ended),
            () = sleep(limits.boot_timeout) => return Trial::Timeout,
        };
        Trial::Connected(Guest { connected, script })
    }
}

impl Guest<'_> {
    /// The process that it says it is.
    pub(crate) fn pid(&self) -> u32 {
        self.connected.pid
    }

    /// Closes its connection. Returns how its script has ended, if it does within `time`.
    pub(crate) async fn dismiss(self, time: Duration) -> Option<Result<Page, PageError>> {
        drop(self.connected);
        timeout(time, self.script).await.ok()
    }
}
