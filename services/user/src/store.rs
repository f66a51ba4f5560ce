//! The queries, in SQL that both SQLite and PostgreSQL accept.

use proto::user::User;
use sqlx::{AnyPool, Error, FromRow, Row, any::AnyRow};

/// The users in the database.
#[derive(Debug, Clone)]
pub(crate) struct UserStore {
    pool: AnyPool,
}

struct UserRow(User);

impl FromRow<'_, AnyRow> for UserRow {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self(User {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            address: row.try_get("address")?,
            email: row.try_get("email")?,
        }))
    }
}

impl UserStore {
    /// The database must have been migrated.
    pub(crate) fn new(pool: AnyPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn insert(&self, user: &User) -> Result<(), Error> {
        sqlx::query("INSERT INTO users (id, name, address, email) VALUES ($1, $2, $3, $4)")
            .bind(&user.id)
            .bind(&user.name)
            .bind(&user.address)
            .bind(&user.email)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Option<User>, Error> {
        let query = sqlx::query_as("SELECT id, name, address, email FROM users WHERE id = $1");
        let row = query.bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|UserRow(user)| user))
    }

    /// Returns users sorted by id, beginning after the id `after`.
    pub(crate) async fn list(&self, after: &str, limit: i64) -> Result<Vec<User>, Error> {
        let query = sqlx::query_as(
            "SELECT id, name, address, email FROM users WHERE id > $1 ORDER BY id LIMIT $2",
        );
        let rows = query.bind(after).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|UserRow(user)| user).collect())
    }

    /// Deletes the user and returns it; `None` if it does not exist.
    pub(crate) async fn delete(&self, id: &str) -> Result<Option<User>, Error> {
        let query =
            sqlx::query_as("DELETE FROM users WHERE id = $1 RETURNING id, name, address, email");
        let row = query.bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|UserRow(user)| user))
    }

    /// Replaces the user with the same id; returns false if it does not exist.
    pub(crate) async fn update(&self, user: &User) -> Result<bool, Error> {
        let done =
            sqlx::query("UPDATE users SET name = $2, address = $3, email = $4 WHERE id = $1")
                .bind(&user.id)
                .bind(&user.name)
                .bind(&user.address)
                .bind(&user.email)
                .execute(&self.pool)
                .await?;
        Ok(done.rows_affected() > 0)
    }
}
