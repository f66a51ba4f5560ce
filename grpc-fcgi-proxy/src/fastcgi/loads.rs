//! The load of each target: its exchanges, and whether it is in rotation.
//!
//! The target with the fewest exchanges is used. An unreachable target is out of rotation unless every target is
//! unreachable; a removed one gets no further exchange.

use std::sync::Arc;

use super::target::Target;
use crate::metrics::pool::PoolMetrics;
use crate::share::utilization;
use crate::waiting::Purpose;

/// The loads of all targets.
#[derive(Debug)]
pub(super) struct Loads {
    /// Places at each target.
    exchanges: usize,
    /// Places at each target that streaming calls may use.
    streams: usize,
    metrics: PoolMetrics,
    loads: Vec<Load>,
    failures: u64,
}

#[derive(Debug)]
struct Load {
    target: Arc<Target>,
    running: usize,
    streams: usize,
    /// The number of the failure that took the target out of rotation.
    down: Option<u64>,
    /// Whether someone finds out whether the target is reachable.
    examined: bool,
    /// Only its running exchanges are left, which count again if the target comes back.
    removed: bool,
}

impl Load {
    fn new(target: Target) -> Self {
        Self {
            target: Arc::new(target),
            running: 0,
            streams: 0,
            down: None,
            examined: false,
            removed: false,
        }
    }

    /// The lowest rank is used first. If all targets are down, that is the one whose failure is the oldest.
    fn rank(&self) -> (Option<u64>, usize) {
        (self.down, self.running)
    }

    fn is_in_rotation(&self, all_down: bool) -> bool {
        !self.removed && (all_down || self.down.is_none())
    }
}

impl Loads {
    pub(super) fn new(exchanges: usize, streams: usize, metrics: PoolMetrics) -> Self {
        Self {
            exchanges,
            streams,
            metrics,
            loads: Vec::new(),
            failures: 0,
        }
    }

    /// Adds the targets that are new, and removes those that are not among `targets`.
    pub(super) fn set_targets(&mut self, targets: Vec<Target>) {
        for load in &mut self.loads {
            let removed = !targets.contains(&load.target);
            if removed && !load.removed {
                self.metrics.forget_target(&load.target);
            } else if !removed && load.removed {
                self.metrics.target_up(&load.target).set(1);
                load.down = None;
            }
            load.removed = removed;
        }
        self.forget_removed();
        for target in targets {
            if !self.loads.iter().any(|load| *load.target == target) {
                self.metrics.target_up(&target).set(1);
                self.loads.push(Load::new(target));
            }
        }
    }

    /// The targets that are not removed.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.current().map(|load| &load.target)
    }

    /// The number of further streaming calls that may run.
    pub(super) fn room_for_streams(&self) -> usize {
        let room = |load: &Load| self.streams.saturating_sub(load.streams);
        self.in_rotation().map(room).sum()
    }

    /// How much of the places of the targets in rotation is taken, if `waiting` calls took places too.
    pub(super) fn utilization(&self, waiting: usize) -> f64 {
        let running: usize = self.in_rotation().map(|load| load.running).sum();
        let places = self.in_rotation().count() * self.exchanges;
        utilization(running + waiting, places)
    }

    /// The target with the lowest load.
    pub(super) fn least(&self) -> Option<&Arc<Target>> {
        let least = self.in_rotation().min_by_key(|load| load.rank());
        least.map(|load| &load.target)
    }

    /// Counts an exchange with the target that has the lowest load and a free place.
    pub(super) fn reserve(&mut self, purpose: Purpose) -> Option<Arc<Target>> {
        let (exchanges, streams) = (self.exchanges, self.streams);
        let is_free = |load: &&mut Load| {
            load.running < exchanges && (purpose == Purpose::Unary || load.streams < streams)
        };
        let all_down = self.all_down();
        let load = self
            .loads
            .iter_mut()
            .filter(|load| load.is_in_rotation(all_down))
            .filter(is_free)
            .min_by_key(|load| load.rank())?;
        load.running += 1;
        load.streams += usize::from(purpose == Purpose::Stream);
        Some(Arc::clone(&load.target))
    }

    /// The exchange has ended.
    pub(super) fn release(&mut self, target: &Arc<Target>, purpose: Purpose) {
        if let Some(load) = self.of(target) {
            load.running -= 1;
            load.streams -= usize::from(purpose == Purpose::Stream);
            if load.removed {
                self.forget_removed();
            }
        }
    }

    /// Records whether a target is reachable; returns true if that changed.
    pub(super) fn set_reachable(&mut self, target: &Arc<Target>, reachable: bool) -> bool {
        self.failures += u64::from(!reachable);
        let failure = (!reachable).then_some(self.failures);
        let Some(load) = self.of(target).filter(|load| !load.removed) else {
            return false;
        };
        let changed = std::mem::replace(&mut load.down, failure).is_some() != failure.is_some();
        if changed {
            self.metrics.target_up(target).set(reachable.into());
        }
        changed
    }

    /// Whether the target is out of rotation, and not removed.
    pub(super) fn is_down(&mut self, target: &Arc<Target>) -> bool {
        let load = self.of(target);
        load.is_some_and(|load| !load.removed && load.down.is_some())
    }

    /// Whether the caller should find out if the target is reachable: nobody does, and it is not known to be down.
    pub(super) fn begin_examination(&mut self, target: &Arc<Target>) -> bool {
        let load = self.of(target).filter(|load| load.down.is_none());
        load.is_some_and(|load| !std::mem::replace(&mut load.examined, true))
    }

    pub(super) fn end_examination(&mut self, target: &Arc<Target>) {
        if let Some(load) = self.of(target) {
            load.examined = false;
        }
    }

    fn of(&mut self, target: &Arc<Target>) -> Option<&mut Load> {
        let mut loads = self.loads.iter_mut();
        loads.find(|load| Arc::ptr_eq(&load.target, target))
    }

    fn forget_removed(&mut self) {
        self.loads.retain(|load| !load.removed || load.running > 0);
    }

    fn current(&self) -> impl Iterator<Item = &Load> {
        self.loads.iter().filter(|load| !load.removed)
    }

    fn all_down(&self) -> bool {
        self.current().all(|load| load.down.is_some())
    }

    /// The targets in rotation: those that are up, or all if none is.
    fn in_rotation(&self) -> impl Iterator<Item = &Load> {
        let all_down = self.all_down();
        let loads = self.loads.iter();
        loads.filter(move |load| load.is_in_rotation(all_down))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::registry::Metrics;

    fn target(number: usize) -> Target {
        Target::Unix(format!("/{number}.sock").into())
    }

    fn loads(targets: usize, exchanges: usize, metrics: &Metrics) -> Loads {
        let mut loads = Loads::new(exchanges, exchanges, metrics.pool.clone());
        loads.set_targets((0..targets).map(target).collect());
        loads
    }

    /// Takes up to this number of places.
    fn reserve(loads: &mut Loads, count: usize) -> Vec<Arc<Target>> {
        (0..count)
            .filter_map(|_| loads.reserve(Purpose::Unary))
            .collect()
    }

    fn is(taken: &[Arc<Target>], expected: &[usize]) -> bool {
        let expected = expected.iter().map(|number| target(*number));
        taken.iter().map(|taken| (**taken).clone()).eq(expected)
    }

    #[test]
    fn the_target_with_the_fewest_exchanges_is_used() {
        let mut loads = loads(3, 2, &Metrics::new().unwrap());
        let taken = reserve(&mut loads, 5);
        assert!(is(&taken, &[0, 1, 2, 0, 1]), "{taken:?}");
        for target in [&taken[1], &taken[4]] {
            loads.release(target, Purpose::Unary);
        }
        assert!(is(&reserve(&mut loads, 1), &[1]));
    }

    #[test]
    fn an_unreachable_target_is_out_of_rotation_unless_all_are() {
        let mut loads = loads(2, 1, &Metrics::new().unwrap());
        let targets: Vec<_> = loads.targets().cloned().collect();
        assert!(loads.set_reachable(&targets[0], false));
        assert!(!loads.set_reachable(&targets[0], false));
        assert!(is(&reserve(&mut loads, 2), &[1]));
        assert!(loads.set_reachable(&targets[1], false));
        assert!(is(&reserve(&mut loads, 2), &[0]));
    }

    #[test]
    fn a_removed_target_is_not_used_and_its_exchanges_count_if_it_comes_back() {
        let mut loads = loads(2, 2, &Metrics::new().unwrap());
        let running = loads.reserve(Purpose::Unary).unwrap();
        assert_eq!(*running, target(0));
        loads.set_targets(vec![target(1)]);
        assert!(is(&reserve(&mut loads, 4), &[1, 1]));
        assert!(!loads.set_reachable(&running, false));
        loads.set_targets(vec![target(0), target(1)]);
        assert!(is(&reserve(&mut loads, 4), &[0]));
        loads.set_targets(vec![target(1)]);
        loads.release(&running, Purpose::Unary);
        loads.release(&running, Purpose::Unary);
        assert_eq!(loads.loads.len(), 1);
    }

    /// Nobody connects to a removed target to find out whether it is up again.
    #[test]
    fn a_target_that_was_removed_while_it_was_down_comes_back_up() {
        let mut loads = loads(2, 2, &Metrics::new().unwrap());
        let running = loads.reserve(Purpose::Unary).unwrap();
        loads.set_reachable(&running, false);
        loads.set_targets(vec![target(1)]);
        assert!(!loads.is_down(&running));
        loads.set_targets(vec![target(0), target(1)]);
        assert!(is(&reserve(&mut loads, 4), &[1, 0, 1]));
    }

    #[test]
    fn a_removed_target_has_no_metric() {
        let metrics = Metrics::new().unwrap();
        let mut loads = loads(2, 1, &metrics);
        loads.set_targets(vec![target(1)]);
        let text = metrics.render().unwrap();
        let named = |line: &&str| line.starts_with("fcgi_target_up{");
        let lines: Vec<_> = text.lines().filter(named).collect();
        assert_eq!(lines, ["fcgi_target_up{target=\"unix:///1.sock\"} 1"]);
    }
}
