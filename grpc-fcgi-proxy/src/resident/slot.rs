//! Keeps one worker running: boots it, replaces it, and tries again with growing pauses if it does not boot.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::boot::{BootError, Place, Running};
use super::group::Group;
use super::launch::LaunchError;
use crate::metrics::resident::Retirement;

/// After the first failed boot; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The same while php-fpm is unreachable: trying costs it nothing.
const LONGEST_CONNECT_PAUSE: Duration = Duration::from_secs(2);
/// After this number of failed boots, or short lives, in a row, no call waits for the worker.
const HOPELESS: u32 = 3;
/// How long a script that did not connect in time may run on before another one is launched beside it.
const SLOW_BOOT: Duration = Duration::from_secs(300);
/// A worker that ends before this age was not worth its boot: after several of them in a row, the next one waits.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// How long the old worker goes on while the new one boots. If all of php-fpm's workers are busy, the new one waits for the
/// end of the old one.
const BESIDE: Duration = Duration::from_secs(3);

/// Room for one worker.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) place: Arc<Place>,
    /// Held while a worker is replaced that could go on: one after the other.
    pub(super) turn: Arc<Mutex<()>>,
    /// Changes with each SIGHUP.
    pub(super) reload: watch::Receiver<()>,
    /// The target is no longer one.
    pub(super) removed: CancellationToken,
}

/// Counts towards the places from which a worker may come soon.
#[derive(Debug)]
pub(super) struct Hope {
    group: Arc<Group>,
    has_hope: bool,
}

impl Hope {
    pub(super) fn new(group: &Arc<Group>) -> Self {
        group.with(|state| state.set_hope(true));
        Self {
            group: Arc::clone(group),
            has_hope: true,
        }
    }

    fn set(&mut self, has_hope: bool) {
        if std::mem::replace(&mut self.has_hope, has_hope) != has_hope {
            self.group.with(|state| state.set_hope(has_hope));
        }
    }
}

impl Drop for Hope {
    fn drop(&mut self) {
        self.set(false);
    }
}

impl Slot {
    /// Keeps a worker running until the target is removed.
    pub(super) async fn run(mut self, mut hope: Hope) {
        let removed = self.removed.clone();
        let Some(mut running) = removed.run_until_cancelled(self.boot(&mut hope)).await else {
            return;
        };
        let mut short_lives = 0;
        loop {
            let reason = self.replacement(&mut running).await;
            if running.since.elapsed() < SHORT_LIFE {
                short_lives += 1;
            } else {
                short_lives = 0;
            }
            match reason {
                Retirement::Removed => {
                    drop(hope);
                    self.place.finish(running, reason).await;
                    return;
                }
                Retirement::Ended | Retirement::Asked | Retirement::Stuck => {
                    self.finish(running, reason);
                    hope.set(short_lives < HOPELESS);
                    let next = async {
                        sleep(pause_after(short_lives)).await;
                        self.boot(&mut hope).await
                    };
                    match removed.run_until_cancelled(next).await {
                        Some(next) => running = next,
                        None => return,
                    }
                }
                Retirement::Age | Retirement::Calls | Retirement::Reload => {
                    let next = self.replace(running, reason, &mut hope);
                    match removed.run_until_cancelled(next).await {
                        Some(next) => running = next,
                        None => return,
                    }
                }
            }
        }
    }

    /// Waits until the worker is to be replaced.
    async fn replacement(&mut self, running: &mut Running) -> Retirement {
        let until = running.until;
        let old = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.removed.cancelled() => Retirement::Removed,
            Ok(reason) = &mut running.replace => reason,
            () = running.disconnected.cancelled() => Retirement::Ended,
            Ok(()) = self.reload.changed() => Retirement::Reload,
            () = old => Retirement::Age,
        }
    }

    fn finish(&self, running: Running, reason: Retirement) {
        tokio::spawn(Arc::clone(&self.place).finish(running, reason));
    }

    /// Boots the new worker beside the old one, where php-fpm has room for both. The old one goes on as long as none boots:
    /// a new release may be broken.
    async fn replace(&mut self, old: Running, reason: Retirement, hope: &mut Hope) -> Running {
        let turn = Arc::clone(&self.turn);
        let _turn = tokio::select! {
            turn = turn.lock() => Some(turn),
            () = old.disconnected.cancelled() => None,
        };
        let mut pause = FIRST_PAUSE;
        while !old.disconnected.is_cancelled() {
            let mut boot = pin!(self.place.boot());
            let early = tokio::select! {
                early = &mut boot => early,
                () = sleep(BESIDE) => {
                    self.finish(old, reason);
                    return match boot.await {
                        Ok(next) => next,
                        Err(_) => self.boot(hope).await,
                    };
                }
            };
            if let Ok(next) = early {
                self.finish(old, reason);
                return next;
            }
            tokio::select! {
                () = sleep(pause) => pause = LONGEST_PAUSE.min(2 * pause),
                () = old.disconnected.cancelled() => {}
            }
        }
        self.finish(old, reason);
        self.boot(hope).await
    }

    /// Tries until a worker boots.
    async fn boot(&self, hope: &mut Hope) -> Running {
        let mut pause = FIRST_PAUSE;
        let mut failures = 0;
        loop {
            let error = match self.place.boot().await {
                Ok(running) => {
                    hope.set(true);
                    return running;
                }
                Err(error) => error,
            };
            failures += 1;
            if failures == HOPELESS || matches!(error, BootError::Timeout(_)) {
                hope.set(false);
            }
            let longest = match error {
                BootError::Launch(LaunchError::Connect(_)) => LONGEST_CONNECT_PAUSE,
                BootError::Timeout(Some(mut launch)) => {
                    let _ = timeout(SLOW_BOOT, launch.ended()).await;
                    LONGEST_PAUSE
                }
                _ => LONGEST_PAUSE,
            };
            pause = pause.min(longest);
            sleep(pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
            pause *= 2;
        }
    }
}

/// The pause after this number of short lives in a row.
fn pause_after(short_lives: u32) -> Duration {
    match short_lives {
        0 | 1 => Duration::ZERO,
        further => LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(further - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_end_at_once_are_not_launched_in_a_tight_loop() {
        let pauses = [0, 1, 2, 3, 4, 100].map(|count| pause_after(count).as_millis());
        assert_eq!(pauses, [0, 0, 100, 200, 400, 30_000]);
    }
}
