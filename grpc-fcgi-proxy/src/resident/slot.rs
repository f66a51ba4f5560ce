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
            short_lives = match reason {
                Retirement::Ended | Retirement::Asked if running.is_wasted() => short_lives + 1,
                _ => 0,
            };
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
                        tokio::select! {
                            () = sleep(pause_after(short_lives)) => {}
                            Ok(()) = self.reload.changed() => {}
                        }
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
        let (place, mut pause) = (Arc::clone(&self.place), FIRST_PAUSE);
        while !old.disconnected.is_cancelled() {
            let mut boot = pin!(place.boot());
            let early = tokio::select! {
                early = &mut boot => early,
                () = sleep(BESIDE) => {
                    self.finish(old, reason);
                    match boot.await {
                        Ok(next) => return next,
                        Err(error) => self.wait_after(error, &mut pause).await,
                    }
                    return self.boot(hope).await;
                }
            };
            match early {
                Ok(next) => {
                    self.finish(old, reason);
                    return next;
                }
                Err(error) => tokio::select! {
                    () = self.wait_after(error, &mut pause) => {}
                    () = old.disconnected.cancelled() => {}
                },
            }
        }
        self.finish(old, reason);
        self.boot(hope).await
    }

    /// Tries until a worker boots.
    async fn boot(&mut self, hope: &mut Hope) -> Running {
        let mut pause = FIRST_PAUSE;
        let mut failures = 0;
        loop {
            // A worker that boots from now on is as new as a reload wants it.
            self.reload.mark_unchanged();
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
            self.wait_after(error, &mut pause).await;
        }
    }

    /// Waits after a failed boot until the next one, which comes at once after SIGHUP: the script may have been mended.
    async fn wait_after(&mut self, error: BootError, pause: &mut Duration) {
        let longest = match error {
            BootError::Launch(LaunchError::Connect(_)) => LONGEST_CONNECT_PAUSE,
            _ => LONGEST_PAUSE,
        };
        let next = longest.min(2 * *pause);
        let wait = async {
            if let BootError::Timeout(Some(mut launch)) = error {
                let _ = timeout(SLOW_BOOT, launch.ended()).await;
            }
            sleep(longest.min(*pause).mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        };
        *pause = tokio::select! {
            () = wait => next,
            Ok(()) = self.reload.changed() => FIRST_PAUSE,
        };
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
    use std::path::Path;
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicU64, AtomicUsize};

    use tokio::time::Instant;

    use super::*;
    use crate::binding::route::Script;
    use crate::fastcgi::target::Target;
    use crate::resident::boot::Shared;
    use crate::resident::listener::{Expected, WorkerAddress};
    use crate::resident::tests::group;

    /// Where nothing can be launched.
    fn slot(reload: &watch::Sender<()>) -> Slot {
        let (group, metrics) = group();
        let shared = Shared {
            expected: Expected::default(),
            address: WorkerAddress::Fixed(String::new()),
            threads: Vec::new(),
            next_thread: AtomicUsize::new(0),
            next_worker: AtomicU64::new(1),
        };
        let place = Place {
            group,
            shared: Arc::new(shared),
            target: Target::Unix("/none".into()),
            script: Script::new(Path::new("/a.php")),
            metrics: metrics.of("target", "/a.php"),
            failing: StdMutex::default(),
        };
        Slot {
            place: Arc::new(place),
            turn: Arc::default(),
            reload: reload.subscribe(),
            removed: CancellationToken::new(),
        }
    }

    fn failure() -> BootError {
        BootError::System(std::io::Error::other("no memory"))
    }

    #[tokio::test]
    async fn pauses_grow_until_a_reload_ends_them() {
        tokio::time::pause();
        let (reload, _) = watch::channel(());
        let mut slot = slot(&reload);
        let mut pause = FIRST_PAUSE;
        for seconds in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] {
            let began = Instant::now();
            slot.wait_after(failure(), &mut pause).await;
            let ratio = began.elapsed().as_secs_f64() / seconds;
            assert!((0.89..1.12).contains(&ratio), "{seconds}: {ratio}");
        }
        reload.send_replace(());
        let began = Instant::now();
        slot.wait_after(failure(), &mut pause).await;
        assert_eq!((began.elapsed(), pause), (Duration::ZERO, FIRST_PAUSE));
    }

    #[test]
    fn workers_that_end_at_once_are_not_launched_in_a_tight_loop() {
        let pauses = [0, 1, 2, 3, 4, 100].map(|count| pause_after(count).as_millis());
        assert_eq!(pauses, [0, 0, 100, 200, 400, 30_000]);
    }
}
