//! The queries, in SQL that both SQLite and PostgreSQL accept. Those that read orders for callers are here; those that
//! change them step by step are in `steps`.

mod steps;

use futures_util::TryStreamExt;
use prost::Message;
use proto::order::Order;
use sqlx::{AnyPool, Error, FromRow, Row, any::AnyRow};

pub(crate) use self::steps::{Begun, Stage, State};

/// The orders in the database.
#[derive(Debug, Clone)]
pub(crate) struct OrderStore {
    pool: AnyPool,
}

struct OrderRow(Order);

impl FromRow<'_, AnyRow> for OrderRow {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        let items: String = row.try_get("items")?;
        Ok(Self(Order {
            id: row.try_get("id")?,
            user: row.try_get("user_id")?,
            items: serde_json::from_str(&items).map_err(|error| Error::Decode(error.into()))?,
        }))
    }
}

impl OrderStore {
    /// The database must have been migrated.
    pub(crate) fn new(pool: AnyPool) -> Self {
        Self { pool }
    }

    /// Returns the order if it is visible.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<Order>, Error> {
        let query = sqlx::query_as(
            "SELECT id, user_id, items FROM orders \
             WHERE id = $1 AND state IN ('placed', 'updating')",
        );
        let row = query.bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|OrderRow(order)| order))
    }

    /// Returns visible orders sorted by id, beginning after the id `after`; of one user, or of all users if `user` is
    /// empty. Ends with the order that exceeds `max_bytes`, which reveals that another page follows.
    pub(crate) async fn list(
        &self,
        user: &str,
        after: &str,
        limit: i64,
        max_bytes: usize,
    ) -> Result<Vec<Order>, Error> {
        let query = if user.is_empty() {
            sqlx::query_as(
                "SELECT id, user_id, items FROM orders \
                 WHERE id > $1 AND state IN ('placed', 'updating') ORDER BY id LIMIT $2",
            )
        } else {
            sqlx::query_as(
                "SELECT id, user_id, items FROM orders \
                 WHERE id > $1 AND user_id = $3 AND state IN ('placed', 'updating') \
                 ORDER BY id LIMIT $2",
            )
        };
        let mut query = query.bind(after).bind(limit);
        if !user.is_empty() {
            query = query.bind(user);
        }
        let mut rows = query.fetch(&self.pool);
        let (mut orders, mut bytes) = (Vec::new(), 0);
        while bytes <= max_bytes
            && let Some(OrderRow(order)) = rows.try_next().await?
        {
            bytes += order.encoded_len();
            orders.push(order);
        }
        Ok(orders)
    }
}
