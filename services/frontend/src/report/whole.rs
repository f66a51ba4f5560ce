//! The whole report, as long as it fits its extent.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use chassis::context::CallContext;
use futures_util::try_join;
use serde_json::value::RawValue;

use super::{
    PAGE_SIZE, ReportEntry, ReportError,
    json::{Rows, length},
};
use crate::{extent::Extent, peers::Peers};

/// The entries are the elements of a list.
const ROWS: Rows = Rows::at(2);

/// The bytes of text that are left, of which both lists take.
struct Text(AtomicUsize);

impl Text {
    fn take(&self, row: &RawValue) -> Result<(), ReportError> {
        let take = |left: usize| left.checked_sub(length(row));
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_| ReportError::TooLarge)
    }
}

/// Reads both lists concurrently. If one fails, or the text becomes too long, the calls to the other are abandoned. The
/// report omits an order whose user does not exist.
pub(crate) async fn collect(
    peers: &Peers,
    context: &CallContext,
    extent: Extent,
) -> Result<Vec<ReportEntry>, ReportError> {
    let peers = peers.limited(extent.message);
    let text = Text(AtomicUsize::new(extent.text));
    let (users, mut orders) = try_join!(
        users(&peers, context, &text),
        orders(&peers, context, &text)
    )?;
    let entry = |(id, user)| ReportEntry {
        user,
        orders: orders.remove(&id).unwrap_or_default(),
    };
    Ok(users.into_iter().map(entry).collect())
}

/// The id and the JSON of each user.
async fn users(
    peers: &Peers,
    context: &CallContext,
    text: &Text,
) -> Result<Vec<(String, Box<RawValue>)>, ReportError> {
    let (mut users, mut token) = (Vec::new(), String::new());
    loop {
        let page = peers.users(context, PAGE_SIZE, token).await?;
        for user in page.users {
            let id = user.id.clone();
            let row = ROWS.user(user)?;
            text.take(&row)?;
            users.push((id, row));
        }
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(users);
        }
    }
}

/// The JSON of each user's orders.
async fn orders(
    peers: &Peers,
    context: &CallContext,
    text: &Text,
) -> Result<HashMap<String, Vec<Box<RawValue>>>, ReportError> {
    let (mut orders, mut token) = (HashMap::<_, Vec<_>>::new(), String::new());
    loop {
        let page = peers.orders(context, "", PAGE_SIZE, token).await?;
        for detail in page.details {
            let user = detail.user.clone();
            let row = ROWS.order(detail)?;
            text.take(&row)?;
            orders.entry(user).or_default().push(row);
        }
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(orders);
        }
    }
}
