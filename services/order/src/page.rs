//! Orders with their items, and how many of them a page has: as many as one call of the item
//! service does for, and one answer holds.

use std::collections::{HashMap, HashSet};

use prost::Message;
use proto::{
    item::Item,
    order::{GetOrderDetailResponse, Order},
};

use crate::service::{MAX_ITEMS, MAX_PAGE_BYTES};

/// The order with those of its items that were found.
pub fn with_items(order: &Order, found: &HashMap<String, Item>) -> GetOrderDetailResponse {
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

/// How many of the orders have no more different items than one may have by itself; at least one.
pub fn in_one_lookup(orders: &[Order]) -> usize {
    let mut distinct = HashSet::new();
    let fits = orders.iter().take_while(|order| {
        distinct.extend(&order.items);
        distinct.len() <= MAX_ITEMS
    });
    fits.count().max(1)
}

/// The orders with their items, as far as they fit into a page. At least one, for the next page
/// must be another: how large items are is known only now.
pub fn fitting_details<'a>(
    orders: impl IntoIterator<Item = &'a Order>,
    found: &HashMap<String, Item>,
) -> Vec<GetOrderDetailResponse> {
    let (mut details, mut bytes) = (Vec::new(), 0);
    for order in orders {
        let detail = with_items(order, found);
        bytes += detail.encoded_len();
        if bytes > MAX_PAGE_BYTES && !details.is_empty() {
            break;
        }
        details.push(detail);
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(items: impl IntoIterator<Item = usize>) -> Order {
        Order {
            items: items.into_iter().map(|number| number.to_string()).collect(),
            ..Order::default()
        }
    }

    #[test]
    fn a_lookup_is_for_orders_of_so_many_different_items() {
        let same = vec![order(0..MAX_ITEMS); 9];
        assert_eq!(in_one_lookup(&same), 9);
        let different = [order(0..600), order(500..1000), order([]), order([1000])];
        assert_eq!(in_one_lookup(&different), 3);
        assert_eq!(in_one_lookup(&[order(0..MAX_ITEMS + 1), order([])]), 1);
    }

    #[test]
    fn a_page_ends_before_it_is_too_large_but_not_before_its_first_order() {
        let description = "d".repeat(MAX_PAGE_BYTES / 3);
        let item = Item {
            description,
            ..Item::default()
        };
        let found = HashMap::from([("1".to_owned(), item)]);
        let count = |orders: &[Order]| fitting_details(orders, &found).len();
        assert_eq!(count(&[order([1]), order([1]), order([1]), order([])]), 2);
        assert_eq!(count(&[order([1; 4]), order([])]), 1);
        assert_eq!(count(&[]), 0);
    }
}
