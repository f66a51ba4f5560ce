//! The removal of what the load has created. It looks in the shop itself, since a request that failed may have created something.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    client::{Answer, Client},
    messages::{Page, Record, encoded},
    outcome::Failure,
};

const NOTHING: Option<&Value> = None;
/// Before another attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// Deletes the users with this name and their orders, until then. Returns how many users and orders there were.
pub(crate) async fn remove(
    client: &Client,
    name: &str,
    deadline: Instant,
) -> Result<usize, Failure> {
    let users = list_patiently(client, "/v1/users?page_size=1000", deadline).await?;
    let mut removed = 0;
    for user in users.iter().filter(|user| user.name == name) {
        let id = encoded(&user.id);
        let orders = list_patiently(
            client,
            &format!("/v1/orders?user={id}&page_size=1000"),
            deadline,
        )
        .await?;
        for order in &orders {
            delete(
                client,
                &format!("/v1/orders/{}", encoded(&order.id)),
                deadline,
            )
            .await?;
        }
        delete(client, &format!("/v1/users/{id}"), deadline).await?;
        removed += 1 + orders.len();
    }
    Ok(removed)
}

/// All pages of a list.
pub(crate) async fn list(
    client: &Client,
    path: &str,
    deadline: Instant,
) -> Result<Vec<Record>, Failure> {
    let (mut records, mut token) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}&page_token={}", encoded(&token));
        let answer = client.call(Method::GET, &page, NOTHING, deadline).await?;
        let page: Page = answer.message()?;
        records.extend(page.records);
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(records);
        }
    }
}

/// The same; tries again when the shop is too busy, or away for a while.
async fn list_patiently(
    client: &Client,
    path: &str,
    deadline: Instant,
) -> Result<Vec<Record>, Failure> {
    loop {
        match list(client, path, deadline).await {
            Err(failure) => pause(failure, deadline).await?,
            records => return records,
        }
    }
}

/// Before another attempt; after the last one, the failure.
async fn pause(failure: Failure, deadline: Instant) -> Result<(), Failure> {
    if Instant::now() + PAUSE >= deadline {
        return Err(failure);
    }
    sleep(PAUSE).await;
    Ok(())
}

/// Deletes something that may be gone already; tries again as a list does.
async fn delete(client: &Client, path: &str, deadline: Instant) -> Result<(), Failure> {
    loop {
        let failure = match client.call(Method::DELETE, path, NOTHING, deadline).await {
            Ok(Answer {
                status: StatusCode::OK | StatusCode::NOT_FOUND,
                ..
            }) => return Ok(()),
            Ok(answer) => answer.status.into(),
            Err(failure) => failure,
        };
        pause(failure, deadline).await?;
    }
}
