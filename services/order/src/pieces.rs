//! How many pieces of each item an order takes.

use std::collections::BTreeMap;

use proto::item::ReservedItem;

/// The pieces of each item, by id. Sorted, so that the same items always make the same request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pieces(BTreeMap<String, i32>);

impl Pieces {
    /// One piece for each time that an item is listed.
    pub(crate) fn of(items: &[String]) -> Self {
        let mut pieces = BTreeMap::<String, i32>::new();
        for id in items {
            let count = pieces.entry(id.clone()).or_default();
            *count = count.saturating_add(1);
        }
        Self(pieces)
    }

    /// What contains both: the larger number of pieces of each item.
    #[must_use]
    pub(crate) fn or_more(mut self, other: &Self) -> Self {
        for (id, &more) in &other.0 {
            let count = self.0.entry(id.clone()).or_default();
            *count = more.max(*count);
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pieces as a request lists them.
    pub(crate) fn listed(&self) -> Vec<ReservedItem> {
        let lines = self.0.iter().map(|(id, &quantity)| ReservedItem {
            id: id.clone(),
            quantity,
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(items: &str) -> Pieces {
        let items: Vec<_> = items.chars().map(String::from).collect();
        Pieces::of(&items)
    }

    #[test]
    fn an_item_that_is_listed_again_is_another_piece() {
        let listed: Vec<_> = pieces("bab")
            .listed()
            .into_iter()
            .map(|line| (line.id, line.quantity))
            .collect();
        assert_eq!(listed, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    }

    #[test]
    fn the_larger_number_of_each_item_contains_both() {
        assert_eq!(pieces("aab").or_more(&pieces("abbc")), pieces("aabbc"));
        assert_eq!(pieces("").or_more(&pieces("a")), pieces("a"));
    }
}
