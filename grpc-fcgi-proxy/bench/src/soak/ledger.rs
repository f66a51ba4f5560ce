//! What became of each id, compared with the database.

use std::collections::HashMap;
use std::time::Duration;

use super::disturbances::STEP;
use crate::setups::Count;

/// What a caller knows of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The right answer has come.
    Answered,
    /// The caller has cancelled it, or its deadline has expired: its handler may have run or not.
    GivenUp,
    Failed,
}

/// A call that failed. The id is its last one.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) id: u64,
    pub(super) unary: bool,
    /// Since the begin of the load.
    pub(super) at: Duration,
    /// Whether its status is one that the end of a worker may have.
    pub(super) by_killed_worker: bool,
    pub(super) status: String,
}

/// A worker that was killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    pub(super) process: u32,
    pub(super) at: Duration,
}

/// All ids.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    outcomes: Vec<(u64, Outcome)>,
    failures: Vec<Failure>,
}

/// What must not be.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Ids that were answered, and never counted.
    pub(super) lost: usize,
    /// Ids that were counted more than once, whatever the client knows of them.
    pub(super) doubled: usize,
    /// Failures that no killed worker explains.
    pub(super) unexplained: Vec<String>,
}

impl Ledger {
    pub(super) fn note(&mut self, id: u64, outcome: Outcome) {
        self.outcomes.push((id, outcome));
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.note(failure.id, Outcome::Failed);
        self.failures.push(failure);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.outcomes.extend(other.outcomes);
        self.failures.extend(other.failures);
    }

    pub(super) fn count(&self, outcome: Outcome) -> usize {
        let all = self.outcomes.iter();
        all.filter(|(_, each)| *each == outcome).count()
    }

    pub(super) fn judge(&self, counts: &HashMap<u64, Count>, kills: &[Kill]) -> Verdict {
        let lost = |(id, outcome): &&(u64, Outcome)| {
            *outcome == Outcome::Answered && !counts.contains_key(id)
        };
        let mut unexplained = Vec::new();
        let mut unary = 0;
        for failure in &self.failures {
            unary += usize::from(failure.unary && failure.by_killed_worker);
            // A worker has begun one unary call at most: the others of a killed one must not fail.
            let too_many = failure.unary && unary > kills.len();
            let process = counts.get(&failure.id).map(|count| count.process);
            if too_many || !failure.is_explained_by(kills, process) {
                unexplained.push(format!(
                    "{:.1} s: call {}, {}",
                    failure.at.as_secs_f64(),
                    failure.id,
                    failure.status
                ));
            }
        }
        Verdict {
            lost: self.outcomes.iter().filter(lost).count(),
            doubled: counts.values().filter(|count| count.times > 1).count(),
            unexplained,
        }
    }
}

impl Failure {
    /// Whether a worker was killed a moment before: the one that counted the call, if any did.
    fn is_explained_by(&self, kills: &[Kill], process: Option<u32>) -> bool {
        let just_before = |kill: &Kill| kill.at <= self.at && self.at <= kill.at + STEP;
        let explains =
            |kill: &Kill| just_before(kill) && process.is_none_or(|id| id == kill.process);
        self.by_killed_worker && kills.iter().any(explains)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: Kill = Kill {
        process: 7,
        at: Duration::from_secs(10),
    };

    fn counts(all: &[(u64, u64, u32)]) -> HashMap<u64, Count> {
        let count = |&(id, times, process)| (id, Count { times, process });
        all.iter().map(count).collect()
    }

    fn failed(id: u64, milliseconds: u64) -> Failure {
        Failure {
            id,
            unary: true,
            at: Duration::from_millis(milliseconds),
            by_killed_worker: true,
            status: "Unavailable".to_owned(),
        }
    }

    fn unexplained(failures: &[Failure], counted: &[(u64, u64, u32)]) -> usize {
        let mut ledger = Ledger::default();
        failures.iter().for_each(|each| ledger.fail(each.clone()));
        ledger.judge(&counts(counted), &[KILL]).unexplained.len()
    }

    #[test]
    fn an_answered_id_that_was_never_counted_is_lost_and_one_counted_twice_is_doubled() {
        let mut ledger = Ledger::default();
        ledger.note(1, Outcome::Answered);
        ledger.note(2, Outcome::Answered);
        ledger.note(3, Outcome::GivenUp);
        ledger.note(4, Outcome::GivenUp);
        let verdict = ledger.judge(&counts(&[(1, 1, 7), (3, 2, 7)]), &[]);
        assert_eq!((verdict.lost, verdict.doubled), (1, 1));
    }

    #[test]
    fn a_killed_worker_explains_one_unary_failure_of_its_own_soon_after() {
        assert_eq!(unexplained(&[failed(1, 10_100)], &[]), 0);
        assert_eq!(unexplained(&[failed(1, 10_100)], &[(1, 1, 7)]), 0);
        assert_eq!(unexplained(&[failed(1, 10_100)], &[(1, 1, 8)]), 1);
        assert_eq!(unexplained(&[failed(1, 9_900)], &[]), 1);
        assert_eq!(unexplained(&[failed(1, 12_100)], &[]), 1);
        assert_eq!(unexplained(&[failed(1, 10_100), failed(2, 10_100)], &[]), 1);
        let stream = |id| Failure {
            unary: false,
            ..failed(id, 10_100)
        };
        assert_eq!(unexplained(&[stream(1), stream(2)], &[]), 0);
        let other = Failure {
            by_killed_worker: false,
            ..failed(1, 10_100)
        };
        assert_eq!(unexplained(&[other], &[]), 1);
    }
}
