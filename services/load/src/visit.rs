//! The requests of the operations, and what their responses must contain.

use std::fmt::Display;

use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    client::Client,
    messages::{NewOrder, NewUser, Page, Record, ReportPage, encoded, is_out_of_stock},
    operation::Operation,
    outcome::{Failure, Outcome},
    shop::{Shop, Task},
};

/// Items in an order, at most.
const MAX_ITEMS: usize = 3;
/// Entries of a page, few enough that a user reads them.
const PAGE_SIZE: u32 = 20;
const NOTHING: Option<&Value> = None;

/// What an operation has come to, and the id of what it has created or the token of the next page.
type Done = Result<(Outcome, String), Failure>;

/// Makes the requests of a load.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) client: Client,
    pub(crate) shop: Shop,
    /// The name of the users that the load creates.
    pub(crate) name: String,
}

impl Visitor {
    /// Makes a request, which must have been answered by this time, and keeps what it has changed.
    pub(crate) async fn visit(&self, task: Task, deadline: Instant) -> Outcome {
        let done = self.request(&task, deadline).await;
        let (outcome, result) = match done {
            Ok(done) => done,
            Err(Failure::Status(429)) => (Outcome::Limited, String::new()),
            Err(failure) => (Outcome::Failed(failure), String::new()),
        };
        self.shop.end(task, outcome, result);
        outcome
    }

    async fn request(&self, task: &Task, deadline: Instant) -> Done {
        let id = encoded(&task.subject);
        match task.operation {
            Operation::ReadReport => self.page::<ReportPage>("/index", id, deadline).await,
            Operation::ListItems => self.page::<Page>("/v1/items", id, deadline).await,
            Operation::ListUsers => self.page::<Page>("/v1/users", id, deadline).await,
            Operation::GetItem => {
                self.record(Method::GET, format!("/v1/items/{id}"), task, deadline)
                    .await
            }
            Operation::ReadOrder => {
                self.record(
                    Method::GET,
                    format!("/v1/orders/{id}:detail"),
                    task,
                    deadline,
                )
                .await
            }
            Operation::DeleteOrder => {
                self.record(Method::DELETE, format!("/v1/orders/{id}"), task, deadline)
                    .await
            }
            Operation::DeleteUser => {
                self.record(Method::DELETE, format!("/v1/users/{id}"), task, deadline)
                    .await
            }
            Operation::CreateUser => {
                let user = self.create_user(deadline).await?;
                Ok((Outcome::Ok, user))
            }
            Operation::PlaceOrder => self.place_order(&task.subject, deadline).await,
        }
    }

    /// Reads a page of a list.
    async fn page<P>(&self, path: &str, token: impl Display, deadline: Instant) -> Done
    where
        P: serde::de::DeserializeOwned + Into<String>,
    {
        let path = format!("{path}?page_size={PAGE_SIZE}&page_token={token}");
        let answer = self
            .client
            .call(Method::GET, &path, NOTHING, deadline)
            .await?;
        Ok((Outcome::Ok, answer.message::<P>()?.into()))
    }

    /// Reads or deletes what the task is about.
    async fn record(&self, method: Method, path: String, task: &Task, deadline: Instant) -> Done {
        let answer = self.client.call(method, &path, NOTHING, deadline).await?;
        let record: Record = answer.message()?;
        if record.id != task.subject {
            return Err(Failure::Wrong);
        }
        Ok((Outcome::Ok, String::new()))
    }

    pub(crate) async fn create_user(&self, deadline: Instant) -> Result<String, Failure> {
        let user = NewUser { name: &self.name };
        let answer = self
            .client
            .call(Method::POST, "/v1/users", Some(&user), deadline)
            .await?;
        let created: Record = answer.message()?;
        Ok(created.id)
    }

    async fn place_order(&self, buyer: &str, deadline: Instant) -> Done {
        let order = NewOrder {
            user: buyer,
            items: self.shop.basket(fastrand::usize(1..=MAX_ITEMS)),
        };
        let answer = self
            .client
            .call(Method::POST, "/v1/orders", Some(&order), deadline)
            .await?;
        if is_out_of_stock(&answer) {
            return Ok((Outcome::OutOfStock, String::new()));
        }
        let placed: Record = answer.message()?;
        Ok((Outcome::Ok, placed.id))
    }
}
