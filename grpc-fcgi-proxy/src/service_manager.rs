//! Tells the service manager, such as systemd, how the proxy is: a unit with `Type=notify` and `WatchdogSec` asks for it.
//!
//! Without `NOTIFY_SOCKET` in the environment nothing is sent.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use futures_util::future::try_join_all;
use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// What the end takes beyond `--drain-timeout`.
const MARGIN: Duration = Duration::from_secs(10);

/// Clients can connect.
pub(crate) fn ready() {
    send(&[NotifyState::Ready]);
}

/// A reload begins. [`ready`] ends it.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // systemd from 253 on requires the time.
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot tell the service manager of the reload"),
    }
}

/// The drain begins. The unit's `TimeoutStopSec` need not know the flag: the drain extends it.
pub(crate) fn stopping(drain_timeout: Duration) {
    let longest = drain_timeout.saturating_add(MARGIN).as_micros();
    let longest = u32::try_from(longest).unwrap_or(u32::MAX);
    send(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(longest),
    ]);
}

/// Feeds the watchdog, if there is one, as long as this thread and all of `threads` run their tasks.
pub(crate) async fn feed_watchdog(threads: &[Handle]) -> Infallible {
    let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
    let Some(limit) = limit else {
        return pending().await;
    };
    loop {
        sleep(limit / 2).await;
        if respond(threads).await {
            send(&[NotifyState::Watchdog]);
        }
    }
}

/// Waits until each of these threads has run a task. False if one has ended.
async fn respond(threads: &[Handle]) -> bool {
    let responses = threads.iter().map(|thread| thread.spawn(async {}));
    try_join_all(responses).await.is_ok()
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::time::timeout;

    use super::*;
    use crate::server::Threads;

    #[tokio::test]
    async fn a_thread_that_hangs_does_not_respond() {
        let ended = Threads::start(2).unwrap().runtimes();
        let running = Threads::start(2).unwrap();
        assert!(!respond(&ended).await);
        let threads = running.runtimes();
        assert!(respond(&threads).await);
        let (release, hang) = mpsc::channel::<()>();
        threads[1].spawn(async move {
            let _ = hang.recv();
        });
        let hanging = timeout(Duration::from_millis(100), respond(&threads)).await;
        assert!(hanging.is_err());
        drop(release);
        assert!(respond(&threads).await);
    }
}
