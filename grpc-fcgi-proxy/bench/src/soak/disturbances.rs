//! What happens to the workers meanwhile.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep_until};

use super::ledger::Kill;
use crate::setups::{Counted, is_child};

/// Between two disturbances.
pub(super) const STEP: Duration = Duration::from_secs(2);

/// One after the other, again and again.
const CYCLE: [Disturbance; 6] = [
    Disturbance::Kill,
    Disturbance::Replace,
    Disturbance::Kill,
    Disturbance::Kill,
    Disturbance::Reload,
    Disturbance::None,
];

#[derive(Clone, Copy, Debug)]
enum Disturbance {
    /// SIGKILL to the worker that has answered last.
    Kill,
    /// SIGHUP to the proxy.
    Replace,
    /// SIGUSR2 to php-fpm.
    Reload,
    None,
}

/// What has been done.
#[derive(Debug, Default)]
pub(super) struct Disturbances {
    pub(super) kills: Vec<Kill>,
    pub(super) reloads: usize,
    pub(super) replacements: usize,
}

/// Disturbs the workers for this time, except in its last step.
pub(super) async fn disturb(
    counted: &Counted,
    worker: &AtomicU32,
    begin: Instant,
    time: Duration,
) -> anyhow::Result<Disturbances> {
    let mut done = Disturbances::default();
    let step = STEP.min(time / 10);
    let mut next = begin + step;
    for disturbance in CYCLE.into_iter().cycle() {
        if next + step > begin + time {
            break;
        }
        sleep_until(next).await;
        next += step;
        match disturbance {
            Disturbance::Kill => {
                let process = worker.load(Ordering::Relaxed);
                // It may have ended since, and another program may have its id.
                if is_child(process, counted.php_fpm()) {
                    let at = begin.elapsed();
                    signal(process, Signal::SIGKILL)?;
                    done.kills.push(Kill { process, at });
                }
            }
            Disturbance::Replace => {
                signal(counted.proxy(), Signal::SIGHUP)?;
                done.replacements += 1;
            }
            Disturbance::Reload => {
                signal(counted.php_fpm(), Signal::SIGUSR2)?;
                done.reloads += 1;
            }
            Disturbance::None => {}
        }
    }
    Ok(done)
}

fn signal(process: u32, signal: Signal) -> anyhow::Result<()> {
    Ok(kill(Pid::from_raw(process.try_into()?), signal)?)
}
