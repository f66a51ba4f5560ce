//! The report: all users in the order of their ids, each with its orders in the order of theirs.
//! It is whole or it is an error.

use std::collections::HashMap;

use chassis::context::Carried;
use futures_util::try_join;
use proto::order::GetOrderDetailResponse;
use serde::Serialize;

use crate::peers::{PeerError, Peers};

/// A user with all orders.
#[derive(Debug, Serialize)]
pub struct Entry {
    user: User,
    orders: Vec<Order>,
}

#[derive(Debug, Serialize)]
struct User {
    id: String,
    name: String,
    address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
}

#[derive(Debug, Serialize)]
struct Order {
    id: String,
    user: String,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_items: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Item {
    id: String,
    name: String,
    description: String,
}

/// Asks the peers for all of it, both at once. An order whose user is not there is left out.
///
/// # Errors
///
/// The first failure of a peer; what is still under way is given up.
pub async fn collect(peers: &Peers, carried: &Carried) -> Result<Vec<Entry>, PeerError> {
    let (users, orders) = try_join!(peers.users(carried), peers.orders(carried))?;
    let mut places = HashMap::new();
    let mut entries = Vec::with_capacity(users.len());
    for user in users {
        places.insert(user.id.clone(), entries.len());
        entries.push(Entry::of(user));
    }
    for order in orders {
        if let Some(&place) = places.get(&order.user) {
            entries[place].orders.push(Order::from(order));
        }
    }
    Ok(entries)
}

impl Entry {
    fn of(user: proto::user::User) -> Self {
        let proto::user::User {
            id,
            name,
            address,
            email,
        } = user;
        Self {
            user: User {
                id,
                name,
                address,
                email,
            },
            orders: Vec::new(),
        }
    }
}

impl From<GetOrderDetailResponse> for Order {
    fn from(detail: GetOrderDetailResponse) -> Self {
        let items = detail.items.into_iter().map(Item::from).collect();
        Self {
            id: detail.id,
            user: detail.user,
            items,
            missing_items: detail.missing_items,
        }
    }
}

impl From<proto::item::Item> for Item {
    fn from(item: proto::item::Item) -> Self {
        let proto::item::Item {
            id,
            name,
            description,
        } = item;
        Self {
            id,
            name,
            description,
        }
    }
}
