//! The targets of all endpoints, kept up to date: the addresses of a name change while the proxy runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::endpoint::Endpoint;
use super::target::Target;
use crate::lookup::lookup;

/// Between two lookups of a name.
const PERIOD: Duration = Duration::from_secs(5);
/// The same while the name has no address, or after a target was unreachable.
const SHORT_PERIOD: Duration = Duration::from_secs(1);
/// How long the start of the proxy may be delayed by lookups.
const FIRST_LOOKUP: Duration = Duration::from_secs(3);

/// The targets of each endpoint.
type Found = Vec<Vec<Target>>;

/// The targets, as they were found last.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    found: watch::Receiver<Found>,
    /// Requests another lookup. The lookups end when this is dropped.
    outdated: Arc<watch::Sender<()>>,
}

impl Targets {
    /// Looks up each name once, then goes on in the background. A name without an address is itself a target, which is
    /// unreachable.
    pub(crate) async fn follow(endpoints: &[Endpoint]) -> Self {
        Self::follow_by(endpoints, lookup).await
    }

    async fn follow_by<L, F>(endpoints: &[Endpoint], lookup: L) -> Self
    where
        L: Fn(String) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        let known = endpoints.iter().map(|endpoint| match endpoint.known() {
            Ok(target) => vec![target],
            Err(name) => vec![Target::Unresolved(name.to_owned())],
        });
        let (all, found) = watch::channel(known.collect());
        let (outdated, _) = watch::channel(());
        let all = Arc::new(all);
        let names = endpoints
            .iter()
            .enumerate()
            .filter_map(|(index, endpoint)| {
                Some(Name {
                    name: endpoint.known().err()?.to_owned(),
                    index,
                    lookup: lookup.clone(),
                    all: Arc::clone(&all),
                    resolved: false,
                    failing: false,
                })
            });
        let mut names: Vec<_> = names.collect();
        let first = names.iter_mut().map(Name::look_up);
        // A name whose lookup takes longer has no address yet.
        let _ = timeout(FIRST_LOOKUP, join_all(first)).await;
        for name in names {
            tokio::spawn(name.follow(outdated.subscribe()));
        }
        let outdated = Arc::new(outdated);
        Self { found, outdated }
    }

    /// The targets as of now, each once.
    pub(crate) fn current(&self) -> Vec<Target> {
        distinct(&self.found.borrow())
    }

    /// Calls `set` with the targets now and whenever they change, until it returns false.
    pub(crate) fn each(&self, mut set: impl FnMut(Vec<Target>) -> bool + Send + 'static) {
        let mut found = self.found.clone();
        tokio::spawn(async move {
            loop {
                let targets = distinct(&found.borrow_and_update());
                if !set(targets) || found.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// The next lookups follow sooner: a target that is unreachable may have gone.
    pub(super) fn are_outdated(&self) {
        self.outdated.send_replace(());
    }
}

fn distinct(found: &Found) -> Vec<Target> {
    let mut targets = Vec::new();
    for target in found.iter().flatten() {
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    targets
}

/// A name, and how to look it up.
struct Name<L> {
    /// `host:port`.
    name: String,
    /// Its place in `all`.
    index: usize,
    lookup: L,
    all: Arc<watch::Sender<Found>>,
    resolved: bool,
    /// Whether the last lookup failed.
    failing: bool,
}

impl<L, F> Name<L>
where
    L: Fn(String) -> F,
    F: Future<Output = io::Result<Vec<SocketAddr>>>,
{
    async fn follow(mut self, mut outdated: watch::Receiver<()>) {
        loop {
            sleep(SHORT_PERIOD).await;
            if self.resolved {
                let rest = PERIOD.saturating_sub(SHORT_PERIOD);
                if let Ok(Err(_)) = timeout(rest, outdated.changed()).await {
                    return;
                }
            } else if outdated.has_changed().is_err() {
                return;
            }
            self.look_up().await;
        }
    }

    /// After a failed lookup the targets stay as they were.
    async fn look_up(&mut self) {
        let found = (self.lookup)(self.name.clone()).await;
        let was_failing = std::mem::replace(&mut self.failing, found.is_err());
        let name = &self.name;
        match found {
            Ok(addresses) => {
                self.resolved = true;
                if self.set(addresses.into_iter().map(Target::Tcp).collect()) || was_failing {
                    let targets = self.all.borrow()[self.index].len();
                    tracing::info!(name, targets, "the application's addresses");
                }
            }
            Err(error) if !was_failing => {
                tracing::warn!(name, %error, "cannot look up the application's addresses");
            }
            Err(_) => {}
        }
    }

    /// Returns true if the targets have changed, apart from their order.
    fn set(&self, targets: Vec<Target>) -> bool {
        self.all.send_if_modified(|all| {
            let Some(found) = all.get_mut(self.index) else {
                return false;
            };
            let same =
                found.len() == targets.len() && targets.iter().all(|target| found.contains(target));
            if !same {
                *found = targets;
            }
            !same
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    /// The answers that the next lookups get; the last one is repeated.
    type Answers = Arc<Mutex<Vec<Vec<u8>>>>;

    /// A name whose addresses are those of `answers`: 10.0.0.x; an empty answer is a failure.
    async fn name(answers: &[&[u8]]) -> (Targets, Answers) {
        let answers = answers.iter().rev().map(|answer| answer.to_vec());
        let answers: Answers = Arc::new(Mutex::new(answers.collect()));
        let shared = Arc::clone(&answers);
        let lookup = move |name: String| {
            assert_eq!(name, "fpm:9000");
            let mut answers = shared.lock().unwrap();
            let answer = match answers.len() {
                1 => answers[0].clone(),
                _ => answers.pop().unwrap(),
            };
            let addresses = answer.into_iter().map(address).collect();
            let failed = io::ErrorKind::NotFound;
            async move {
                let addresses: Vec<_> = addresses;
                match addresses.is_empty() {
                    true => Err(failed.into()),
                    false => Ok(addresses),
                }
            }
        };
        let endpoints = [Endpoint::Tcp("fpm:9000".to_owned())];
        let mut targets_of = Targets::follow_by(&endpoints, lookup).await;
        targets_of.found.mark_unchanged();
        (targets_of, answers)
    }

    fn assert_took(start: Instant, time: Duration) {
        // The timer counts milliseconds.
        let late = start.elapsed().saturating_sub(time);
        assert!(
            start.elapsed() >= time && late < Duration::from_millis(100),
            "{late:?}"
        );
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 9000))
    }

    fn targets(lasts: &[u8]) -> Vec<Target> {
        lasts
            .iter()
            .map(|last| Target::Tcp(address(*last)))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_anew_while_the_proxy_runs() {
        let (mut targets_of, _) = name(&[&[1, 2], &[2, 1], &[2, 3]]).await;
        assert_eq!(targets_of.current(), targets(&[1, 2]));
        let start = Instant::now();
        targets_of.found.changed().await.unwrap();
        assert_eq!(targets_of.current(), targets(&[2, 3]));
        // Another order is no change.
        assert_took(start, 2 * PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_lookup_keeps_the_addresses() {
        let (mut targets_of, _) = name(&[&[1], &[], &[2]]).await;
        sleep(PERIOD + SHORT_PERIOD).await;
        assert_eq!(targets_of.current(), targets(&[1]));
        targets_of.found.changed().await.unwrap();
        assert_eq!(targets_of.current(), targets(&[2]));
    }

    /// As a headless service of Kubernetes before the first pod is ready.
    #[tokio::test(start_paused = true)]
    async fn a_name_without_an_address_is_looked_up_until_it_has_one() {
        let (mut targets_of, _) = name(&[&[], &[], &[1]]).await;
        let unresolved = Target::Unresolved("fpm:9000".to_owned());
        assert_eq!(targets_of.current(), [unresolved]);
        let start = Instant::now();
        targets_of.found.changed().await.unwrap();
        assert_eq!(targets_of.current(), targets(&[1]));
        assert_took(start, 2 * SHORT_PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_target_makes_the_next_lookup_follow_sooner() {
        let (mut targets_of, _) = name(&[&[1], &[2]]).await;
        let start = Instant::now();
        targets_of.are_outdated();
        targets_of.found.changed().await.unwrap();
        assert_took(start, SHORT_PERIOD);
    }

    #[tokio::test]
    async fn an_address_counts_once() {
        let endpoint = Endpoint::Tcp("[::1]:9000".to_owned());
        let targets_of = Targets::follow(&[endpoint.clone(), endpoint]).await;
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 9000));
        assert_eq!(targets_of.current(), [Target::Tcp(address)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_lookups_end_with_their_user() {
        let (targets_of, answers) = name(&[&[1]]).await;
        drop(targets_of);
        while Arc::strong_count(&answers) > 1 {
            sleep(PERIOD).await;
        }
    }
}
