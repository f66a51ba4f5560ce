//! Joins orders with their items.

use std::collections::HashMap;

use proto::{
    item::Item,
    order::{GetOrderDetailResponse, Order},
};

/// Joins an order with its items; lists the ids of those that were not found.
pub(crate) fn with_items(order: &Order, found: &HashMap<String, Item>) -> GetOrderDetailResponse {
    let (mut items, mut missing_items) = (Vec::new(), Vec::new());
    for id in &order.items {
        match found.get(id) {
            Some(item) => items.push(item.clone()),
            None => missing_items.push(id.clone()),
        }
    }
    GetOrderDetailResponse {
        id: order.id.clone(),
        user: order.user.clone(),
        items,
        missing_items,
    }
}
