//! Ends a change from wherever it stopped.

use chassis::{context::CallContext, database::query_failed};
use tonic::{Code, Status};

use super::Sagas;
use crate::{
    pieces::Pieces,
    stock::Unreserved,
    store::{Begun, State},
};

impl Begun {
    /// What the order has reserved, at most. Nothing if the change's revision is the first one, as of an order from before
    /// the stock.
    pub(super) fn reserved(&self) -> Pieces {
        if self.stage.revision > 1 {
            Pieces::of(&self.order.items)
        } else {
            Pieces::default()
        }
    }
}

impl Sagas {
    /// Ends a change of which the stage is this caller's alone. A deletion is completed, and an order that is visible gets
    /// exactly the pieces that it lists, whether its update has replaced it already or not.
    pub(crate) async fn finish(&self, context: &CallContext, begun: &Begun) -> Result<(), Status> {
        let stage = &begun.stage;
        match stage.state {
            State::Deleting => {
                if stage.revision > 1 {
                    let context = self.context(context);
                    self.stock.release(&context, &stage.id).await?;
                }
                self.store.remove(stage).await.map_err(query_failed)
            }
            State::Updating => {
                self.reserve_as_listed(context, begun).await?;
                let placed = self.store.place(stage, stage.revision).await;
                placed.map(drop).map_err(query_failed)
            }
            // `take_over` deletes those that were never placed.
            State::Creating | State::Placed => Ok(()),
        }
    }

    async fn reserve_as_listed(&self, context: &CallContext, begun: &Begun) -> Result<(), Status> {
        let context = self.context(context);
        let (id, revision) = (&begun.stage.id, begun.stage.revision);
        let pieces = Pieces::of(&begun.order.items);
        let refusal = match self.stock.reserve(&context, id, revision, &pieces).await {
            Ok(()) => return Ok(()),
            Err(Unreserved::Unknown(status)) => return Err(status),
            Err(Unreserved::Refused(status)) => status,
        };
        if !matches!(refusal.code(), Code::FailedPrecondition | Code::NotFound) {
            return Err(refusal);
        }
        // Item never refuses what an order has, even if the item has been deleted since, or is counted only since then. So this
        // order is from before the stock: it had no pieces, and keeps none of those that its update took.
        tracing::warn!(order = id, %refusal, "an order has no pieces reserved");
        let nothing = Pieces::default();
        match self.stock.reserve(&context, id, revision, &nothing).await {
            Ok(()) => Ok(()),
            Err(Unreserved::Unknown(status) | Unreserved::Refused(status)) => Err(status),
        }
    }
}
