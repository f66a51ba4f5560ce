//! Changes an order together with its pieces in the item service's stock. No transaction spans the two databases, so each
//! change is a saga: steps that the order's row records (`store::steps`), and that `finish` can end from wherever they
//! stopped. An order is visible only while it has its pieces.
//!
//! A saga runs in a task of its own, to its end or to an outage, even if its caller goes away in the middle; then it is
//! undone, since the caller cannot know that it succeeded. What an outage interrupts is left to the `reconciler`.

mod finish;

use std::{sync::Arc, time::Duration};

use chassis::{context::CallContext, database::query_failed, status::not_found};
use proto::order::Order;
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;

use crate::{
    pieces::Pieces,
    stock::{StockClient, Unreserved},
    store::{Begun, OrderStore, Stage, State},
};

/// Sagas at once. Envoy permits no more calls of the item service either.
const MAX_RUNNING: usize = 1000;
/// How long a call waits for the rest of a change that cannot fail any more.
const PATIENCE: Duration = Duration::from_secs(1);

/// Creates, updates and deletes orders.
#[derive(Debug, Clone)]
pub(crate) struct Sagas {
    store: OrderStore,
    stock: StockClient,
    tasks: TaskTracker,
    running: Arc<Semaphore>,
    /// How long a call of the item service may take, with its repetitions.
    step: Duration,
}

/// Who waits for a saga.
#[derive(Debug, Clone)]
struct Caller {
    context: CallContext,
    gone: CancellationToken,
}

impl Sagas {
    pub(crate) fn new(
        store: OrderStore,
        stock: StockClient,
        tasks: TaskTracker,
        step: Duration,
    ) -> Self {
        Self {
            store,
            stock,
            tasks,
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            step,
        }
    }

    pub(crate) async fn create(
        &self,
        context: &CallContext,
        order: Order,
    ) -> Result<Order, Status> {
        let saga = async move |sagas: Self, caller| sagas.reserve_and_place(&caller, order).await;
        self.run(context, saga).await
    }

    pub(crate) async fn update(
        &self,
        context: &CallContext,
        order: Order,
    ) -> Result<Order, Status> {
        let saga = async move |sagas: Self, caller| sagas.reserve_and_replace(&caller, order).await;
        self.run(context, saga).await
    }

    pub(crate) async fn delete(&self, context: &CallContext, id: String) -> Result<Order, Status> {
        let saga = async move |sagas: Self, caller| sagas.hide_and_release(&caller, &id).await;
        self.run(context, saga).await
    }

    /// Runs a saga in a task of its own, and waits for it.
    async fn run<T, F>(
        &self,
        context: &CallContext,
        saga: impl FnOnce(Self, Caller) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>> + Send + 'static,
        T: Send + 'static,
    {
        let place = Arc::clone(&self.running).try_acquire_owned();
        let place = place.map_err(|_| {
            Status::resource_exhausted("too many orders are being changed; try again later")
        })?;
        let caller = Caller {
            context: context.clone(),
            gone: CancellationToken::new(),
        };
        let _waiting = caller.gone.clone().drop_guard();
        let saga = saga(self.clone(), caller);
        let task = self.tasks.spawn(async move {
            let _place = place;
            saga.await
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a saga failed");
            Err(Status::internal("internal error"))
        })
    }

    async fn reserve_and_place(&self, caller: &Caller, order: Order) -> Result<Order, Status> {
        let pieces = Pieces::of(&order.items);
        if pieces.is_empty() {
            let inserted = self.store.insert(&order, State::Placed, 0).await;
            return inserted.map(|_| order).map_err(query_failed);
        }
        let inserted = self.store.insert(&order, State::Creating, 1).await;
        let stage = inserted.map_err(query_failed)?;
        match self.reserve(caller, &stage, &pieces).await {
            Ok(()) => {
                let placed = self.store.place(&stage, stage.revision).await;
                if placed.map_err(query_failed)? {
                    Ok(order)
                } else {
                    Err(taken_over(&stage.id))
                }
            }
            Err(Unreserved::Refused(status)) => {
                self.store.remove(&stage).await.map_err(query_failed)?;
                Err(status)
            }
            Err(Unreserved::Unknown(status)) => {
                self.undo(caller, stage);
                Err(status)
            }
        }
    }

    /// Reserves what the order lists and will list, replaces it, and puts back what it no longer lists.
    async fn reserve_and_replace(&self, caller: &Caller, order: Order) -> Result<Order, Status> {
        let begun = self.begin_update(&order.id).await?;
        let new = Pieces::of(&order.items);
        let reserved = begun.reserved().or_more(&new);
        let stage = begun.stage;
        match self.reserve(caller, &stage, &reserved).await {
            Ok(()) => {}
            Err(Unreserved::Refused(status)) => {
                let as_before = self.store.place(&stage, stage.refused()).await;
                if as_before.map_err(query_failed)? {
                    return Err(status);
                }
                return Err(self.overtaken(&stage).await);
            }
            Err(Unreserved::Unknown(status)) => {
                self.undo(caller, stage);
                return Err(status);
            }
        }
        let mut next = stage.clone();
        if reserved == new {
            next.state = State::Placed;
        } else {
            next.revision += 1;
        }
        let replaced = self.store.replace(&stage, &order, &next).await;
        if !replaced.map_err(query_failed)? {
            return Err(self.overtaken(&stage).await);
        }
        if next.state != State::Placed {
            let order = order.clone();
            self.finish_soon(caller, Begun { order, stage: next }).await;
        }
        Ok(order)
    }

    async fn hide_and_release(&self, caller: &Caller, id: &str) -> Result<Order, Status> {
        let begun = self.store.begin_delete(id).await.map_err(query_failed)?;
        let begun = begun.ok_or_else(|| not_found("order", id))?;
        let order = begun.order.clone();
        self.finish_soon(caller, begun).await;
        Ok(order)
    }

    async fn begin_update(&self, id: &str) -> Result<Begun, Status> {
        let begun = self.store.begin_update(id).await.map_err(query_failed)?;
        if let Some(begun) = begun {
            return Ok(begun);
        }
        let visible = self.store.get(id).await.map_err(query_failed)?;
        Err(match visible {
            Some(_) => Status::aborted(format!(
                "order/{id} is being changed by another call; try again"
            )),
            None => not_found("order", id),
        })
    }

    /// Why an update cannot go on: the order has been deleted meanwhile, or a reconciler was faster.
    async fn overtaken(&self, stage: &Stage) -> Status {
        match self.store.get(&stage.id).await {
            Ok(Some(_)) => taken_over(&stage.id),
            Ok(None) => not_found("order", &stage.id),
            Err(error) => query_failed(error),
        }
    }

    /// Reserves pieces on behalf of the caller. If the caller is gone by then, it is as if that were not known.
    async fn reserve(
        &self,
        caller: &Caller,
        stage: &Stage,
        pieces: &Pieces,
    ) -> Result<(), Unreserved> {
        let context = self.context(&caller.context);
        let reserving = self
            .stock
            .reserve(&context, &stage.id, stage.revision, pieces);
        reserving.await?;
        if caller.gone.is_cancelled() {
            let status = Status::cancelled("the caller is gone");
            return Err(Unreserved::Unknown(status));
        }
        Ok(())
    }

    /// Ends a change that cannot fail any more. The caller waits a moment, so that it usually finds the stock as it left
    /// it; in an outage the change ends later.
    async fn finish_soon(&self, caller: &Caller, begun: Begun) {
        let (sagas, context) = (self.clone(), caller.context.clone());
        let task = self.tasks.spawn(async move {
            if let Err(status) = sagas.finish(&context, &begun).await {
                left_unfinished(&begun.stage, &status);
            }
        });
        let _ = timeout(PATIENCE, task).await;
    }

    /// Undoes a change; no caller waits for it.
    fn undo(&self, caller: &Caller, stage: Stage) {
        let (sagas, context) = (self.clone(), caller.context.clone());
        self.tasks.spawn(async move {
            let undone = async {
                match sagas.store.take_over(&stage).await.map_err(query_failed)? {
                    Some(begun) => sagas.finish(&context, &begun).await,
                    None => Ok(()),
                }
            };
            if let Err(status) = undone.await {
                left_unfinished(&stage, &status);
            }
        });
    }

    /// The context of a call of the item service: it belongs to the same trace, but the caller's deadline does not end it.
    fn context(&self, caller: &CallContext) -> CallContext {
        CallContext::from_headers(caller.headers()).within(self.step)
    }
}

fn taken_over(id: &str) -> Status {
    Status::aborted(format!(
        "order/{id} has taken too long, and is as before; try again"
    ))
}

fn left_unfinished(stage: &Stage, status: &Status) {
    let (order, state) = (&stage.id, stage.state.name());
    tracing::warn!(order, state, %status, "an order is left to the reconciler");
}
