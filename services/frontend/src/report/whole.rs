//! The whole report, as long as it fits its extent.

use std::collections::HashMap;

use chassis::context::CallContext;
use futures_util::try_join;
use serde_json::value::RawValue;

use super::{ReportEntry, ReportError, USERS, json::Rows};
use crate::{extent::Extent, peers::Peers};

/// Reads both lists concurrently. If one fails, or the text becomes too long, the calls to the other are abandoned. The
/// report omits an order whose user does not exist.
pub(crate) async fn collect(
    peers: &Peers,
    context: &CallContext,
    extent: Extent,
) -> Result<Vec<ReportEntry>, ReportError> {
    let peers = peers.limited(extent.message);
    // The entries are the elements of a list.
    let rows = Rows::new(2, extent.text);
    let (users, mut orders) = try_join!(
        users(&peers, context, &rows),
        orders(&peers, context, &rows, extent.rows)
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
    rows: &Rows,
) -> Result<Vec<(String, Box<RawValue>)>, ReportError> {
    let (mut users, mut token) = (Vec::new(), String::new());
    loop {
        let page = peers.users(context, USERS, token).await?;
        for user in page.users {
            let id = user.id.clone();
            users.push((id, rows.user(user)?));
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
    rows: &Rows,
    size: usize,
) -> Result<HashMap<String, Vec<Box<RawValue>>>, ReportError> {
    let (mut orders, mut token) = (HashMap::<_, Vec<_>>::new(), String::new());
    loop {
        let page = peers.orders(context, "", size, token).await?;
        for detail in page.details {
            let user = detail.user.clone();
            let row = rows.order(detail)?;
            orders.entry(user).or_default().push(row);
        }
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(orders);
        }
    }
}
