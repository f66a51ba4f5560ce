//! Resident workers: scripts that boot once and serve many calls over a connection of their own to the proxy.
//!
//! BINDING.md, "Resident workers". `frame` is the bytes; `state`, `choice`, `received` and `ends` decide which call runs
//! where, without I/O; `answer` is one call, `connection` one worker; `slot` keeps a worker running, which `boot` boots by the
//! request of `launch`, and which connects to the `listener`.

mod answer;
mod boot;
mod call;
mod choice;
mod connection;
mod ends;
mod error;
mod folder;
pub mod frame;
mod group;
mod launch;
pub(crate) mod limits;
mod listener;
mod received;
mod slot;
mod state;
#[cfg(test)]
mod tests;
pub(crate) mod trial;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex as TurnMutex, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::answer::ResidentCall;
use self::boot::{Place, Shared};
pub(crate) use self::error::{Failure, ResidentError};
pub(crate) use self::group::Group;
use self::limits::ResidentLimits;
use self::listener::Expected;
pub(crate) use self::listener::WorkerListener;
use self::slot::{Hope, Slot};
use crate::binding::route::{MethodPattern, Script};
use crate::binding::variables::Variables;
use crate::fastcgi::target::Target;
use crate::fastcgi::targets::Targets;
use crate::metrics::resident::ResidentMetrics;

/// How long the end of the proxy may wait for the ends of the workers.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The resident workers of all scripts.
#[derive(Debug)]
pub(crate) struct Residents {
    groups: Vec<(Script, Arc<Group>)>,
    /// Calls that are kept out of them.
    excluded: Vec<MethodPattern>,
    reload: watch::Sender<()>,
    /// Ends all workers.
    stop: CancellationToken,
    slots: TaskTracker,
}

/// What the resident workers are started from.
pub(crate) struct ResidentParts {
    pub(crate) scripts: Vec<Script>,
    pub(crate) excluded: Vec<MethodPattern>,
    pub(crate) limits: ResidentLimits,
    pub(crate) metrics: ResidentMetrics,
    pub(crate) targets: Targets,
    pub(crate) listener: WorkerListener,
    /// The threads that serve.
    pub(crate) threads: Vec<Handle>,
}

impl Residents {
    /// Starts the workers of each script at each target.
    pub(crate) fn start(parts: ResidentParts) -> Arc<Self> {
        let (reload, _) = watch::channel(());
        let (stop, slots) = (CancellationToken::new(), TaskTracker::new());
        let shared = Arc::new(Shared {
            expected: Expected::default(),
            address: parts.listener.address(),
            threads: parts.threads,
            next_thread: AtomicUsize::new(0),
            next_worker: AtomicU64::new(1),
        });
        tokio::spawn(parts.listener.accept(shared.expected.clone()));
        let mut groups: Vec<(Script, Arc<Group>)> = Vec::new();
        for script in parts.scripts {
            if groups.iter().any(|(other, _)| *other == script) {
                continue;
            }
            let group = Arc::new(Group::new(parts.limits, parts.metrics.clone()));
            let mut places = Places {
                group: Arc::clone(&group),
                shared: Arc::clone(&shared),
                script: script.clone(),
                turn: Arc::default(),
                reload: reload.clone(),
                stop: stop.clone(),
                slots: slots.clone(),
                removed: Vec::new(),
            };
            // Calls must wait from the start.
            places.set(parts.targets.current());
            parts.targets.each(move |targets| {
                places.set(targets);
                true
            });
            let watched = Arc::clone(&group);
            tokio::spawn(async move { watched.watch().await });
            groups.push((script, group));
        }
        Arc::new(Self {
            groups,
            excluded: parts.excluded,
            reload,
            stop,
            slots,
        })
    }

    /// The workers for a call, unless it is kept out of them.
    pub(crate) fn of(&self, variables: &Variables<'_>) -> Option<&Arc<Group>> {
        let method = &variables.method;
        if self.excluded.iter().any(|pattern| pattern.matches(method)) {
            return None;
        }
        let mut groups = self.groups.iter();
        let group = groups.find(|(script, _)| script == variables.script);
        group.map(|(_, group)| group)
    }

    /// Replaces the workers one after the other.
    pub(crate) fn reload(&self) {
        self.reload.send_replace(());
    }

    /// Lets all workers end, for a moment.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        self.slots.close();
        let _ = timeout(END_TIMEOUT, self.slots.wait()).await;
    }

    /// How busy the workers of the busiest script are: above 1, its calls wait.
    pub(crate) fn utilization(&self) -> f64 {
        let groups = self.groups.iter().map(|(_, group)| group.utilization());
        groups.fold(0.0, f64::max)
    }

    /// A script without a worker, now and soon, if there is one.
    pub(crate) fn unhealthy(&self) -> Option<&Script> {
        let mut groups = self.groups.iter();
        let group = groups.find(|(_, group)| !group.is_healthy());
        group.map(|(script, _)| script)
    }
}

/// The workers of one script at all targets.
struct Places {
    group: Arc<Group>,
    shared: Arc<Shared>,
    script: Script,
    turn: Arc<TurnMutex<()>>,
    reload: watch::Sender<()>,
    stop: CancellationToken,
    slots: TaskTracker,
    removed: Vec<(Target, CancellationToken)>,
}

impl Places {
    /// Starts the workers of new targets, and retires those of targets that are not among these.
    fn set(&mut self, targets: Vec<Target>) {
        let (group, script) = (&self.group, &self.script);
        self.removed.retain(|(target, removed)| {
            let stays = targets.contains(target);
            if !stays {
                removed.cancel();
                group.metrics.forget(&target.to_string(), script.filename());
            }
            stays
        });
        for target in targets {
            if !self.removed.iter().any(|(known, _)| *known == target) {
                let removed = self.start(target.clone());
                self.removed.push((target, removed));
            }
        }
    }

    fn start(&self, target: Target) -> CancellationToken {
        let (group, removed) = (&self.group, self.stop.child_token());
        let metrics = group
            .metrics
            .of(&target.to_string(), self.script.filename());
        let place = Arc::new(Place {
            group: Arc::clone(group),
            shared: Arc::clone(&self.shared),
            target,
            script: self.script.clone(),
            metrics,
            failing: Mutex::default(),
        });
        for _ in 0..group.limits.workers {
            let slot = Slot {
                place: Arc::clone(&place),
                turn: Arc::clone(&self.turn),
                reload: self.reload.subscribe(),
                removed: removed.clone(),
            };
            self.slots.spawn(slot.run(Hope::new(group)));
        }
        removed
    }
}
