//! The steps of a change. Each is one statement that changes an order only in the state and the revision that the step
//! expects: of several pods, and of a saga and the reconciler, one makes it, and the others learn that they are late.

use proto::order::Order;
use sqlx::{Error, FromRow, Row, any::AnyRow};

use super::{OrderRow, OrderStore};

/// What is happening to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is not visible yet, and may have pieces already.
    Creating,
    /// It is visible, and has the pieces that it lists.
    Placed,
    /// It is visible, and may have more pieces than it lists.
    Updating,
    /// It is not visible any more, and may have pieces still.
    Deleting,
}

impl State {
    /// Those of changes that are not finished.
    pub(crate) const UNFINISHED: [Self; 3] = [Self::Creating, Self::Updating, Self::Deleting];

    /// The name in the database, in logs and in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Placed => "placed",
            Self::Updating => "updating",
            Self::Deleting => "deleting",
        }
    }

    fn named(name: &str) -> Result<Self, Error> {
        let mut all = Self::UNFINISHED.into_iter().chain([Self::Placed]);
        all.find(|state| state.name() == name)
            .ok_or_else(|| Error::Decode(format!("unknown state of an order: {name}").into()))
    }
}

/// How far a change has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The order's id.
    pub(crate) id: String,
    pub(crate) state: State,
    /// Not less than any that the item service has seen.
    pub(crate) revision: i64,
}

impl Stage {
    /// The revision of an order that item has refused to change. It stays, so that no other change comes to this stage: the
    /// reconciler would take the two for one that has stopped. But an order that has still reserved nothing has revision 0.
    pub(crate) fn refused(&self) -> i64 {
        if self.revision > 1 { self.revision } else { 0 }
    }
}

impl FromRow<'_, AnyRow> for Stage {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get("id")?,
            state: State::named(row.try_get("state")?)?,
            revision: row.try_get("revision")?,
        })
    }
}

/// An order that is being changed.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// As it is stored.
    pub(crate) order: Order,
    pub(crate) stage: Stage,
}

impl FromRow<'_, AnyRow> for Begun {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        let OrderRow(order) = OrderRow::from_row(row)?;
        let stage = Stage::from_row(row)?;
        Ok(Self { order, stage })
    }
}

impl OrderStore {
    /// Inserts a new order.
    pub(crate) async fn insert(
        &self,
        order: &Order,
        state: State,
        revision: i64,
    ) -> Result<Stage, Error> {
        let query = "INSERT INTO orders (id, user_id, items, state, revision) \
                     VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(query)
            .bind(&order.id)
            .bind(&order.user)
            .bind(items(order))
            .bind(state.name())
            .bind(revision)
            .execute(&self.pool)
            .await?;
        Ok(Stage {
            id: order.id.clone(),
            state,
            revision,
        })
    }

    /// Begins to update an order that is placed.
    pub(crate) async fn begin_update(&self, id: &str) -> Result<Option<Begun>, Error> {
        let query = "UPDATE orders SET state = 'updating', revision = revision + 1 \
                     WHERE id = $1 AND state = 'placed' \
                     RETURNING id, user_id, items, state, revision";
        sqlx::query_as(query)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }

    /// Begins to delete an order that is visible, even while it is updated.
    pub(crate) async fn begin_delete(&self, id: &str) -> Result<Option<Begun>, Error> {
        let query = "UPDATE orders SET state = 'deleting', revision = revision + 1 \
                     WHERE id = $1 AND state IN ('placed', 'updating') \
                     RETURNING id, user_id, items, state, revision";
        sqlx::query_as(query)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }

    /// Takes over a change that has come to `stage`, to finish it: the next revision is the caller's. An order that was
    /// never placed is deleted. `None` if the change has gone on.
    pub(crate) async fn take_over(&self, stage: &Stage) -> Result<Option<Begun>, Error> {
        let state = match stage.state {
            State::Creating => State::Deleting,
            state => state,
        };
        let query = "UPDATE orders SET state = $4, revision = revision + 1 \
                     WHERE id = $1 AND state = $2 AND revision = $3 \
                     RETURNING id, user_id, items, state, revision";
        sqlx::query_as(query)
            .bind(&stage.id)
            .bind(stage.state.name())
            .bind(stage.revision)
            .bind(state.name())
            .fetch_optional(&self.pool)
            .await
    }

    /// Ends a change, with this revision. False if the change has been taken over.
    pub(crate) async fn place(&self, stage: &Stage, revision: i64) -> Result<bool, Error> {
        let query = "UPDATE orders SET state = 'placed', revision = $4 \
                     WHERE id = $1 AND state = $2 AND revision = $3";
        let done = sqlx::query(query)
            .bind(&stage.id)
            .bind(stage.state.name())
            .bind(stage.revision)
            .bind(revision)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Replaces an order that is updated, and moves to the next stage. False if the update has been taken over.
    pub(crate) async fn replace(
        &self,
        stage: &Stage,
        order: &Order,
        next: &Stage,
    ) -> Result<bool, Error> {
        let query = "UPDATE orders SET user_id = $4, items = $5, state = $6, revision = $7 \
                     WHERE id = $1 AND state = $2 AND revision = $3";
        let done = sqlx::query(query)
            .bind(&stage.id)
            .bind(stage.state.name())
            .bind(stage.revision)
            .bind(&order.user)
            .bind(items(order))
            .bind(next.state.name())
            .bind(next.revision)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes an order that has nothing reserved, unless its change has been taken over.
    pub(crate) async fn remove(&self, stage: &Stage) -> Result<(), Error> {
        sqlx::query("DELETE FROM orders WHERE id = $1 AND state = $2 AND revision = $3")
            .bind(&stage.id)
            .bind(stage.state.name())
            .bind(stage.revision)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Returns changes that are not finished.
    pub(crate) async fn unfinished(&self, limit: i64) -> Result<Vec<Stage>, Error> {
        // In the words of the partial index.
        let query = "SELECT id, state, revision FROM orders WHERE state <> 'placed' \
                     ORDER BY id LIMIT $1";
        sqlx::query_as(query)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }
}

fn items(order: &Order) -> String {
    serde_json::json!(order.items).to_string()
}
