//! What users do, and how often each.

/// A request of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A page of the report of all users and their orders.
    ReadReport,
    /// A page of the catalogue.
    ListItems,
    /// An item.
    GetItem,
    /// A page of the users.
    ListUsers,
    /// A new user.
    CreateUser,
    /// The end of a user that the load has created.
    DeleteUser,
    /// A new order.
    PlaceOrder,
    /// An order that the load has placed, with its items.
    ReadOrder,
    /// The end of such an order: its items go back into the stock.
    DeleteOrder,
}

impl Operation {
    /// In the order of the summary.
    pub(crate) const ALL: [Self; 9] = [
        Self::ReadReport,
        Self::ListItems,
        Self::GetItem,
        Self::ListUsers,
        Self::CreateUser,
        Self::DeleteUser,
        Self::PlaceOrder,
        Self::ReadOrder,
        Self::DeleteOrder,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadReport => "read report",
            Self::ListItems => "list items",
            Self::GetItem => "get item",
            Self::ListUsers => "list users",
            Self::CreateUser => "create user",
            Self::DeleteUser => "delete user",
            Self::PlaceOrder => "place order",
            Self::ReadOrder => "read order",
            Self::DeleteOrder => "delete order",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// How often it is made among all others. Most users look around; as much is deleted as is created.
    fn weight(self) -> u32 {
        match self {
            Self::ListItems | Self::GetItem => 25,
            Self::PlaceOrder | Self::ReadOrder | Self::DeleteOrder => 12,
            Self::ReadReport | Self::ListUsers => 5,
            Self::CreateUser | Self::DeleteUser => 2,
        }
    }

    fn needs_key(self) -> bool {
        matches!(
            self,
            Self::CreateUser
                | Self::DeleteUser
                | Self::PlaceOrder
                | Self::ReadOrder
                | Self::DeleteOrder
        )
    }

    /// One at random; without a key one that only reads what the shop has.
    pub(crate) fn choose(may_write: bool) -> Self {
        let allowed = || {
            Self::ALL
                .into_iter()
                .filter(|it| may_write || !it.needs_key())
        };
        let mut rest = fastrand::u32(0..allowed().map(Self::weight).sum());
        for operation in allowed() {
            match rest.checked_sub(operation.weight()) {
                None => return operation,
                Some(less) => rest = less,
            }
        }
        Self::ListItems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_its_place_in_the_summary() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation.index(), index);
        }
    }

    #[test]
    fn operations_are_chosen_by_weight() {
        fastrand::seed(1);
        let mut chosen = [0; Operation::ALL.len()];
        for _ in 0..10_000 {
            chosen[Operation::choose(true).index()] += 1;
        }
        let of = |operation: Operation| chosen[operation.index()];
        assert!(
            (2300..2700).contains(&of(Operation::ListItems)),
            "{chosen:?}"
        );
        assert!(
            (1000..1400).contains(&of(Operation::PlaceOrder)),
            "{chosen:?}"
        );
        assert!(
            (120..280).contains(&of(Operation::CreateUser)),
            "{chosen:?}"
        );
    }

    #[test]
    fn without_a_key_every_operation_reads() {
        for _ in 0..1000 {
            assert!(!Operation::choose(false).needs_key());
        }
    }
}
