//! The report: all users, sorted by id, each with its orders, sorted by id. An incomplete report is an error.

use std::collections::HashMap;

use chassis::context::CallContext;
use futures_util::try_join;
use proto::{item::Item, order::GetOrderDetailResponse, user::User};
use serde::Serialize;

use crate::peers::{PeerError, Peers};

/// A user with its orders.
#[derive(Debug, Serialize)]
pub(crate) struct ReportEntry {
    user: ReportUser,
    orders: Vec<ReportOrder>,
}

#[derive(Debug, Serialize)]
struct ReportUser {
    id: String,
    name: String,
    address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
}

#[derive(Debug, Serialize)]
struct ReportOrder {
    id: String,
    user: String,
    items: Vec<ReportItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_items: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ReportItem {
    id: String,
    name: String,
    description: String,
}

/// Calls both peers concurrently. If one fails, the calls to the other are abandoned. The report omits an order whose
/// user does not exist.
pub(crate) async fn collect(
    peers: &Peers,
    context: &CallContext,
) -> Result<Vec<ReportEntry>, PeerError> {
    let (users, orders) = try_join!(peers.users(context), peers.orders(context))?;
    let mut places = HashMap::new();
    let mut entries = Vec::with_capacity(users.len());
    for user in users {
        places.insert(user.id.clone(), entries.len());
        entries.push(ReportEntry::of(user));
    }
    for order in orders {
        if let Some(&place) = places.get(&order.user) {
            entries[place].orders.push(ReportOrder::from(order));
        }
    }
    Ok(entries)
}

impl ReportEntry {
    fn of(user: User) -> Self {
        let User {
            id,
            name,
            address,
            email,
        } = user;
        Self {
            user: ReportUser {
                id,
                name,
                address,
                email,
            },
            orders: Vec::new(),
        }
    }
}

impl From<GetOrderDetailResponse> for ReportOrder {
    fn from(detail: GetOrderDetailResponse) -> Self {
        let items = detail.items.into_iter().map(ReportItem::from).collect();
        Self {
            id: detail.id,
            user: detail.user,
            items,
            missing_items: detail.missing_items,
        }
    }
}

impl From<Item> for ReportItem {
    fn from(item: Item) -> Self {
        let Item {
            id,
            name,
            description,
            ..
        } = item;
        Self {
            id,
            name,
            description,
        }
    }
}
