//! The bounds of a page: what one lookup of the item service and one response can hold.
//!
//! A page may end early. It has at least one order, so that the next page makes progress.

use std::collections::{HashMap, HashSet};

use prost::Message;
use proto::{
    item::Item,
    order::{GetOrderDetailResponse, Order},
};

use crate::details::with_items;

/// The maximum number of items in an order, and of distinct items in a page of details.
pub const MAX_ITEMS: usize = 1000;
/// The maximum size of a page in bytes. gRPC clients accept 4 MiB by default.
pub(crate) const MAX_PAGE_BYTES: usize = 3 << 20;

/// Returns how many of the orders fit into one response.
pub(crate) fn in_one_response(orders: &[Order]) -> usize {
    let mut bytes = 0;
    let fits = orders.iter().take_while(|order| {
        bytes += order.encoded_len();
        bytes <= MAX_PAGE_BYTES
    });
    fits.count().max(1)
}

/// Returns for how many of the orders one lookup can fetch the items.
pub(crate) fn in_one_lookup(orders: &[Order]) -> usize {
    let mut distinct = HashSet::new();
    let fits = orders.iter().take_while(|order| {
        distinct.extend(&order.items);
        distinct.len() <= MAX_ITEMS
    });
    fits.count().max(1)
}

/// Joins orders with their items until the response is full. The size of the items is known only after the lookup.
pub(crate) fn fitting_details<'a>(
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
    fn a_page_of_orders_ends_before_it_exceeds_the_limit() {
        let order = Order {
            items: vec!["a".repeat(128); MAX_ITEMS],
            ..Order::default()
        };
        let orders = vec![order; 100];
        let count = in_one_response(&orders);
        assert!((2..100).contains(&count), "{count}");
        assert_eq!(in_one_response(&orders[..5]), 5);
        assert_eq!(in_one_response(&[]), 1);
    }

    #[test]
    fn one_lookup_is_for_a_bounded_number_of_distinct_items() {
        let same = vec![order(0..MAX_ITEMS); 9];
        assert_eq!(in_one_lookup(&same), 9);
        let different = [order(0..600), order(500..1000), order([]), order([1000])];
        assert_eq!(in_one_lookup(&different), 3);
        assert_eq!(in_one_lookup(&[order(0..MAX_ITEMS + 1), order([])]), 1);
    }

    #[test]
    fn a_page_of_details_ends_before_it_exceeds_the_limit_but_not_before_its_first_order() {
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
