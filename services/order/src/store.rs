//! The queries, in SQL that both SQLite and PostgreSQL accept.

use futures_util::TryStreamExt;
use prost::Message;
use proto::order::Order;
use sqlx::{AnyPool, Error, FromRow, Row, any::AnyRow};

/// The orders in the database.
#[derive(Debug, Clone)]
pub struct OrderStore {
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
    pub fn new(pool: AnyPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn insert(&self, order: &Order) -> Result<(), Error> {
        sqlx::query("INSERT INTO orders (id, user_id, items) VALUES ($1, $2, $3)")
            .bind(&order.id)
            .bind(&order.user)
            .bind(items(order))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Option<Order>, Error> {
        let query = sqlx::query_as("SELECT id, user_id, items FROM orders WHERE id = $1");
        let row = query.bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|OrderRow(order)| order))
    }

    /// Returns orders sorted by id, beginning after the id `after`; of one user, or of all users if `user` is empty.
    /// Ends with the order that exceeds `max_bytes`, which reveals that another page follows.
    pub(crate) async fn list(
        &self,
        user: &str,
        after: &str,
        limit: i64,
        max_bytes: usize,
    ) -> Result<Vec<Order>, Error> {
        let query = if user.is_empty() {
            sqlx::query_as(
                "SELECT id, user_id, items FROM orders WHERE id > $1 ORDER BY id LIMIT $2",
            )
        } else {
            sqlx::query_as(
                "SELECT id, user_id, items FROM orders WHERE id > $1 AND user_id = $3 \
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

    /// Deletes the order and returns it; `None` if it does not exist.
    pub(crate) async fn delete(&self, id: &str) -> Result<Option<Order>, Error> {
        let query = sqlx::query_as("DELETE FROM orders WHERE id = $1 RETURNING id, user_id, items");
        let row = query.bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|OrderRow(order)| order))
    }

    /// Replaces the order with the same id; returns false if it does not exist.
    ///
    /// # Errors
    ///
    /// If the query fails.
    pub async fn update(&self, order: &Order) -> Result<bool, Error> {
        let done = sqlx::query("UPDATE orders SET user_id = $2, items = $3 WHERE id = $1")
            .bind(&order.id)
            .bind(&order.user)
            .bind(items(order))
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn items(order: &Order) -> String {
    serde_json::json!(order.items).to_string()
}
