//! Finishes the changes that were interrupted: by the end of a pod, or by an outage of the item service or of the database.
//!
//! Each pod runs one. It takes a change over when it has seen it at the same stage for a time, so the clocks of pods need
//! not agree; then the other pods see another stage, and leave it to this one for as long.

use std::{collections::HashMap, time::Duration};

use chassis::context::CallContext;
use prometheus::{
    IntCounterVec, IntGauge, Registry, register_int_counter_vec_with_registry,
    register_int_gauge_with_registry,
};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    saga::Sagas,
    store::{OrderStore, Stage, State},
};

/// How often it looks while a change may stay at a stage.
const LOOKS: u32 = 5;
/// Changes that it looks at in a turn.
const BATCH: i64 = 1000;
const FINISHED: &str = "finished";
const FAILED: &str = "failed";

/// Finishes interrupted changes.
#[derive(Debug)]
pub(crate) struct Reconciler {
    store: OrderStore,
    sagas: Sagas,
    /// How long a change may stay at a stage.
    after: Duration,
    seen: HashMap<String, Seen>,
    overdue: IntGauge,
    reconciled: IntCounterVec,
    /// The last turn failed. A lasting outage is logged once.
    failing: bool,
}

/// A change that was not finished in the last turn.
#[derive(Debug, Clone, Copy)]
struct Seen {
    revision: i64,
    /// When it was first seen at its stage, or at the one before this reconciler took it over.
    since: Instant,
}

impl Reconciler {
    pub(crate) fn new(
        store: OrderStore,
        sagas: Sagas,
        after: Duration,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let reconciled = register_int_counter_vec_with_registry!(
            "orders_reconciled_total",
            "Attempts of this pod to finish an interrupted change of an order, by what the order was in.",
            &["state", "outcome"],
            registry
        )?;
        for state in State::UNFINISHED {
            for outcome in [FINISHED, FAILED] {
                reconciled.with_label_values(&[state.name(), outcome]);
            }
        }
        let overdue = register_int_gauge_with_registry!(
            "orders_overdue",
            "Orders, of all pods, whose change was interrupted and is not finished yet.",
            registry
        )?;
        Ok(Self {
            store,
            sagas,
            after,
            seen: HashMap::new(),
            overdue,
            reconciled,
            failing: false,
        })
    }

    /// Works until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut turns = interval(self.after / LOOKS);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            let done = self.turn(&stop).await;
            match &done {
                Err(status) if !self.failing => {
                    tracing::warn!(%status, "orders cannot be reconciled; trying on");
                }
                Ok(()) if self.failing => tracing::info!("orders are reconciled again"),
                _ => {}
            }
            self.failing = done.is_err();
        }
    }

    /// Finishes the changes that are due, one after the other, which an item service that has just come back can bear.
    /// Fails with the last failure.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<(), Status> {
        let unfinished = self.store.unfinished(BATCH).await;
        let due = self.due(unfinished.map_err(unreachable)?);
        self.overdue.set(due.len().try_into().unwrap_or(i64::MAX));
        let mut done = Ok(());
        for stage in due {
            if stop.is_cancelled() {
                break;
            }
            let finished = self.finish(&stage).await;
            if finished.is_ok() {
                self.seen.remove(&stage.id);
                self.overdue.dec();
            }
            let outcome = match finished {
                Ok(true) => FINISHED,
                Ok(false) => continue,
                Err(_) => FAILED,
            };
            let labels = [stage.state.name(), outcome];
            self.reconciled.with_label_values(&labels).inc();
            done = finished.map(drop).and(done);
        }
        done
    }

    /// Remembers what is not finished, and returns what has been so for too long, the oldest first.
    fn due(&mut self, unfinished: Vec<Stage>) -> Vec<Stage> {
        let (now, mut seen) = (Instant::now(), HashMap::new());
        let mut due = Vec::new();
        for stage in unfinished {
            let before = self.seen.get(&stage.id).copied();
            let same = before.filter(|seen| seen.revision == stage.revision);
            let now = Seen {
                revision: stage.revision,
                since: now,
            };
            let this = same.unwrap_or(now);
            seen.insert(stage.id.clone(), this);
            if now.since - this.since >= self.after {
                due.push((this.since, stage));
            }
        }
        self.seen = seen;
        due.sort_by_key(|(since, _)| *since);
        due.into_iter().map(|(_, stage)| stage).collect()
    }

    /// False if the change has gone on by itself, or by another pod.
    async fn finish(&mut self, stage: &Stage) -> Result<bool, Status> {
        let taken_over = self.store.take_over(stage).await.map_err(unreachable)?;
        let Some(begun) = taken_over else {
            return Ok(false);
        };
        // It stays due in the next turn if it fails now.
        if let Some(seen) = self.seen.get_mut(&stage.id) {
            seen.revision = begun.stage.revision;
        }
        self.sagas.finish(&CallContext::default(), &begun).await?;
        let (order, state) = (&stage.id, stage.state.name());
        tracing::info!(order, state, "finished an interrupted change of an order");
        Ok(true)
    }
}

/// Unlike `query_failed`, logs nothing: `run` does, once in an outage.
fn unreachable(error: sqlx::Error) -> Status {
    Status::unavailable(error.to_string())
}
