//! Boots one worker: launches its script, and waits until it connects.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::{End, WorkerConnection};
use super::group::Group;
use super::launch::{Ended, Launch, LaunchError, LaunchRequest};
use super::listener::{Connected, Expected, WorkerAddress};
use super::worker::{NewWorker, WorkerId};
use crate::binding::route::{Script, Unresolved};
use crate::fastcgi::socket::StdSocket;
use crate::fastcgi::target::Target;
use crate::metrics::increment::Increment;
use crate::metrics::resident::{PlaceMetrics, Retirement, WorkerMetrics};
use crate::telemetry::WorkerLog;

/// A worker that ends before this age, without a call, was not worth its boot.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// How long a connection stays open after its script has ended, for what it has still sent.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A script that did not become a worker.
#[derive(Debug, thiserror::Error)]
pub(super) enum BootError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Script(#[from] Unresolved),
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
    #[error("the script ended before it connected to the proxy{}", describe(.0))]
    Ended(Ended),
    #[error(
        "the script did not connect to the proxy in time: it does not call RpcServer::run(), boots for longer, or php-fpm has \
         no free worker (pm.max_children)"
    )]
    Timeout(Option<Box<Launch>>),
}

/// Says what is known of the end of a script, to be added to a sentence.
pub(super) fn describe(ended: &Ended) -> String {
    let mut text = String::new();
    if let Some(error) = &ended.error {
        text = format!(": {error}");
    }
    if !ended.output.is_empty() {
        text += &format!("; it printed {:?}", ended.output);
    }
    text
}

/// The parts that the workers of all scripts share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) expected: Expected,
    pub(super) address: WorkerAddress,
    /// The threads that serve, which serve the workers as well.
    pub(super) threads: Vec<Handle>,
    pub(super) next_thread: AtomicUsize,
    pub(super) next_worker: AtomicU64,
}

/// Where workers run: one script at one php-fpm.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) group: Arc<Group>,
    pub(super) shared: Arc<Shared>,
    pub(super) target: Target,
    pub(super) script: Script,
    pub(super) metrics: PlaceMetrics,
    /// Why workers do not boot, as it was logged.
    pub(super) failing: Mutex<Option<String>>,
}

/// A worker that serves calls.
#[derive(Debug)]
pub(super) struct Running {
    /// Names it in the group.
    id: WorkerId,
    pub(super) number: u64,
    pid: u32,
    pub(super) replace: oneshot::Receiver<Retirement>,
    /// When it was ready.
    since: Instant,
    /// Whether it has got a call.
    used: Arc<AtomicBool>,
    /// When it is old.
    pub(super) until: Option<Instant>,
    /// Cancelled when the connection has ended.
    pub(super) disconnected: CancellationToken,
    /// The end of its script.
    ended: oneshot::Receiver<Ended>,
    /// Until it is being replaced.
    ready: Option<Increment>,
}

impl Running {
    /// Whether it has been of no use, so that the next one may be of none either. That a call ended it is no reason to
    /// wait: a client could keep all workers away by such calls.
    pub(super) fn is_wasted(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && self.since.elapsed() < SHORT_LIFE
    }
}

impl Place {
    /// Boots a worker.
    pub(super) async fn boot(&self) -> Result<Running, BootError> {
        let _booting = Increment::new(&self.metrics.booting);
        let result = self.launch().await;
        match &result {
            Ok(running) => {
                self.metrics.booted.inc();
                let was_failing = self.set_failing(None);
                let (target, number) = (&self.target, running.number);
                tracing::info!(fastcgi = %target, script = self.script.filename(), worker = number, pid = running.pid, was_failing, "a resident worker is ready");
            }
            Err(error) => {
                self.metrics.failed.inc();
                if self.set_failing(Some(error.to_string())) {
                    tracing::warn!(fastcgi = %self.target, script = self.script.filename(), %error, "a resident worker does not boot");
                }
            }
        }
        result
    }

    /// Returns true if that is another state than before.
    fn set_failing(&self, reason: Option<String>) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *failing != reason;
        *failing = reason;
        changed
    }

    async fn launch(&self) -> Result<Running, BootError> {
        let (limits, shared) = (&self.group.limits, &self.shared);
        let give_up = Instant::now() + limits.boot_timeout;
        let number = shared.next_worker.fetch_add(1, Ordering::Relaxed);
        let log = || WorkerLog::new(self.script.filename().into(), number);
        let script = self.script.current()?;
        let mut expectation = shared.expected.expect()?;
        let request = LaunchRequest {
            script: &script,
            address: &shared.address,
            secret: &expectation.secret,
            streams: limits.streams,
            max_memory: limits.max_memory,
        };
        let launch = Launch::begin(&self.target, request, log(), give_up);
        let Ok(launch) = timeout_at(give_up, launch).await else {
            return Err(BootError::Timeout(None));
        };
        let mut launch = launch?;
        let connected = tokio::select! {
            biased;
            Ok(connected) = &mut expectation.connected => connected,
            ended = launch.ended() => return Err(BootError::Ended(ended)),
            () = sleep_until(give_up) => return Err(BootError::Timeout(Some(Box::new(launch)))),
        };
        self.begin(number, connected, launch, log()).await
    }

    /// Lets one of the serving threads serve the worker.
    async fn begin(
        &self,
        number: u64,
        connected: Connected,
        mut launch: Launch,
        log: WorkerLog,
    ) -> Result<Running, BootError> {
        let (limits, pid) = (&self.group.limits, connected.pid);
        let (replace, replaced) = oneshot::channel();
        let (id_sender, id) = oneshot::channel();
        let (script_ended, disconnected) = (CancellationToken::new(), CancellationToken::new());
        let used = Arc::new(AtomicBool::new(false));
        let task = WorkerTask {
            socket: connected.socket.into_std()?,
            group: Arc::clone(&self.group),
            max_calls: limits.max_calls.map(varied_count),
            used: Arc::clone(&used),
            metrics: self.metrics.worker.clone(),
            number,
            log,
            replace,
            script_ended: script_ended.clone(),
            _disconnected: disconnected.clone().drop_guard(),
        };
        let threads = &self.shared.threads;
        let next = self.shared.next_thread.fetch_add(1, Ordering::Relaxed);
        threads[next % threads.len()].spawn(task.run(id_sender));
        let (ended_sender, ended) = oneshot::channel();
        tokio::spawn(async move {
            // The slot may not wait for it.
            let _ = ended_sender.send(launch.ended().await);
            script_ended.cancel();
        });
        let age = limits.max_age.map(|age| age.mul_f64(varied(1.0)));
        Ok(Running {
            id: id.await.map_err(std::io::Error::other)?,
            number,
            pid,
            replace: replaced,
            since: Instant::now(),
            used,
            until: age.and_then(|age| Instant::now().checked_add(age)),
            disconnected,
            ended,
            ready: Some(Increment::new(&self.metrics.ready)),
        })
    }

    /// Lets the worker finish its calls, and waits for its end.
    pub(super) async fn finish(self: Arc<Self>, mut running: Running, reason: Retirement) {
        self.group.metrics.retired(reason);
        running.ready = None;
        let _retiring = Increment::new(&self.metrics.retiring);
        self.drain(&running, reason).await;
        let ended = running.ended.await;
        let ended = ended.as_ref().map(describe).unwrap_or_default();
        let (target, worker, script) = (&self.target, running.number, self.script.filename());
        match reason {
            Retirement::Ended | Retirement::Stuck => {
                tracing::warn!(fastcgi = %target, script, worker, reason = reason.name(), "a resident worker has ended{ended}");
            }
            _ => {
                tracing::info!(fastcgi = %target, script, worker, reason = reason.name(), "a resident worker has ended{ended}");
            }
        }
    }

    /// Waits until a worker that is being replaced has finished its calls. Its streams may outlast the worker by far, so they
    /// are aborted after a time; then the worker has as long to end as one that is stuck.
    async fn drain(&self, running: &Running, reason: Retirement) {
        let (group, disconnected) = (&self.group, &running.disconnected);
        let limits = &group.limits;
        group.with(|state| state.retire(running.id));
        if timeout(limits.drain_timeout, disconnected.cancelled())
            .await
            .is_ok()
        {
            return;
        }
        let aborted = group.with(|state| state.abort_streams(running.id));
        if aborted > 0 {
            group.metrics.streams_aborted.inc_by(aborted);
            let (target, script, worker) = (&self.target, self.script.filename(), running.number);
            tracing::warn!(fastcgi = %target, script, worker, reason = reason.name(), streams = aborted, "aborted the streaming calls of a resident worker that is being replaced");
        }
        if timeout(limits.stuck_timeout, disconnected.cancelled())
            .await
            .is_err()
        {
            group.with(|state| state.give_up(running.id));
            disconnected.cancelled().await;
        }
    }
}

/// Serves a worker in a serving thread.
struct WorkerTask {
    socket: StdSocket,
    group: Arc<Group>,
    number: u64,
    max_calls: Option<u64>,
    used: Arc<AtomicBool>,
    replace: oneshot::Sender<Retirement>,
    log: WorkerLog,
    metrics: WorkerMetrics,
    script_ended: CancellationToken,
    _disconnected: DropGuard,
}

impl WorkerTask {
    async fn run(self, id_sender: oneshot::Sender<WorkerId>) {
        // Without it, the boot fails.
        let Ok(socket) = self.socket.register() else {
            return;
        };
        let (group, number) = (self.group, self.number);
        let worker = NewWorker {
            thread: thread::current().id(),
            max_calls: self.max_calls,
            used: self.used,
            replace: self.replace,
            log: self.log,
            metrics: self.metrics,
        };
        let id = group.with(|state| state.add_worker(worker));
        let connection = WorkerConnection::new(socket, Arc::clone(&group), id.key);
        // The slot waits for it.
        let _ = id_sender.send(id);
        let mut serve = std::pin::pin!(connection.serve());
        let script_ended = async {
            self.script_ended.cancelled().await;
            // It may have ended only its request, and go on.
            group.with(|state| state.retire(id));
            sleep(LAST_WORDS).await;
        };
        let end = tokio::select! {
            end = &mut serve => end,
            () = script_ended => {
                group.with(|state| state.give_up(id));
                serve.await
            }
        };
        match end {
            End::Closed | End::GivenUp => tracing::debug!(worker = number, %end, "disconnected"),
            End::Broken(_) | End::Violation(_) => {
                tracing::warn!(worker = number, %end, "closed the connection of a resident worker");
            }
        }
    }
}

/// Varies by ±10 %, so that workers are not all replaced at once.
fn varied(value: f64) -> f64 {
    value * (0.9 + 0.2 * fastrand::f64())
}

/// The same for a count.
fn varied_count(count: u64) -> u64 {
    let tenth = count / 10;
    count - tenth + fastrand::u64(0..=2 * tenth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_vary_by_a_tenth() {
        let counts: Vec<u64> = (0..1000).map(|_| varied_count(1000)).collect();
        assert!(counts.iter().all(|count| (900..=1100).contains(count)));
        assert!(counts.iter().any(|count| *count < 950));
        assert!(counts.iter().any(|count| *count > 1050));
        assert_eq!(varied_count(1), 1);
        let ages: Vec<f64> = (0..1000).map(|_| varied(1.0)).collect();
        assert!(ages.iter().all(|age| (0.9..=1.1).contains(age)));
        assert!(ages.iter().any(|age| *age < 0.95) && ages.iter().any(|age| *age > 1.05));
    }
}
