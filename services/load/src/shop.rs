//! The shop as the load knows it: its items, and what the load has created.
//!
//! A user or an order is taken out while a request concerns it, so no request finds it deleted by another one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{operation::Operation, outcome::Failure, outcome::Outcome};

/// Orders at the same time, so that others find the shop's items in stock.
const MAX_ORDERS: usize = 20;
/// Users at the same time.
const MAX_USERS: usize = 50;

/// A request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) operation: Operation,
    /// The id of what it concerns, or the token of the page to read; empty for a new user.
    pub(crate) subject: String,
}

/// What the load may work on.
#[derive(Debug)]
pub(crate) struct Shop {
    /// The ids of its items.
    items: Vec<String>,
    /// Users that place orders. They stay, so that the orders of all of them can be found at the end.
    buyers: Vec<String>,
    own: Mutex<Own>,
}

/// What the load has created, and where it reads on.
#[derive(Debug, Default)]
struct Own {
    users: Stock,
    orders: Stock,
    pages: [String; Operation::ALL.len()],
}

/// Users or orders that the load has created.
#[derive(Debug, Default)]
struct Stock {
    /// The ids of those that no request concerns.
    idle: Vec<String>,
    /// All, also those that are being created.
    count: usize,
}

impl Shop {
    pub(crate) fn new(items: Vec<String>, buyers: Vec<String>) -> Self {
        let own = Mutex::default();
        Self { items, buyers, own }
    }

    pub(crate) fn add_buyer(&mut self, id: String) {
        self.buyers.push(id);
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation, or one that makes it possible: there must be an order to read, and not ever more of them.
    pub(crate) fn begin(&self, wanted: Operation) -> Task {
        let possible = [wanted, instead_of(wanted), Operation::GetItem];
        let mut own = self.own();
        let mut tasks = possible.into_iter().filter_map(|operation| {
            let subject = self.subject(&mut own, operation)?;
            Some(Task { operation, subject })
        });
        tasks.next().unwrap_or(Task {
            operation: Operation::ListItems,
            subject: String::new(),
        })
    }

    fn subject(&self, own: &mut Own, operation: Operation) -> Option<String> {
        match operation {
            Operation::ReadReport | Operation::ListItems | Operation::ListUsers => {
                Some(own.pages[operation.index()].clone())
            }
            Operation::GetItem => fastrand::choice(&self.items).cloned(),
            Operation::CreateUser => own.users.create(MAX_USERS).then(String::new),
            Operation::DeleteUser => own.users.take(),
            Operation::PlaceOrder => {
                let buyer = fastrand::choice(&self.buyers)?;
                own.orders.create(MAX_ORDERS).then(|| buyer.clone())
            }
            Operation::ReadOrder | Operation::DeleteOrder => own.orders.take(),
        }
    }

    /// The items of a new order.
    pub(crate) fn basket(&self, size: usize) -> Vec<&str> {
        let items = (0..size).filter_map(|_| fastrand::choice(&self.items));
        items.map(String::as_str).collect()
    }

    /// Ends a task. `result` is the id of what it has created, or the token of the next page.
    pub(crate) fn end(&self, task: Task, outcome: Outcome, result: String) {
        let mut own = self.own();
        match task.operation {
            Operation::ReadReport | Operation::ListItems | Operation::ListUsers => {
                own.pages[task.operation.index()] = result;
            }
            Operation::GetItem => {}
            Operation::CreateUser => own.users.created(result, outcome),
            Operation::DeleteUser => own.users.deleted(task.subject, outcome),
            Operation::PlaceOrder => own.orders.created(result, outcome),
            Operation::ReadOrder => own.orders.idle.push(task.subject),
            Operation::DeleteOrder => own.orders.deleted(task.subject, outcome),
        }
    }
}

impl Stock {
    /// Whether there may be one more.
    fn create(&mut self, max: usize) -> bool {
        let may = self.count < max;
        self.count += usize::from(may);
        may
    }

    fn take(&mut self) -> Option<String> {
        let count = self.idle.len();
        (count > 0).then(|| self.idle.swap_remove(fastrand::usize(..count)))
    }

    fn created(&mut self, id: String, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.idle.push(id),
            // If it exists, it is found at the end.
            _ => self.count -= 1,
        }
    }

    fn deleted(&mut self, id: String, outcome: Outcome) {
        match outcome {
            Outcome::Limited | Outcome::Failed(Failure::Connect) => self.idle.push(id),
            _ => self.count -= 1,
        }
    }
}

fn instead_of(operation: Operation) -> Operation {
    match operation {
        Operation::CreateUser => Operation::DeleteUser,
        Operation::DeleteUser => Operation::CreateUser,
        Operation::PlaceOrder => Operation::DeleteOrder,
        Operation::ReadOrder | Operation::DeleteOrder => Operation::PlaceOrder,
        others => others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Shop {
        Shop::new(vec!["bolt".to_owned()], vec!["buyer".to_owned()])
    }

    fn task(operation: Operation, subject: &str) -> Task {
        let subject = subject.to_owned();
        Task { operation, subject }
    }

    #[test]
    fn what_there_is_not_is_created() {
        let shop = shop();
        for (wanted, begun) in [
            (Operation::ReadOrder, task(Operation::PlaceOrder, "buyer")),
            (Operation::DeleteOrder, task(Operation::PlaceOrder, "buyer")),
            (Operation::DeleteUser, task(Operation::CreateUser, "")),
            (Operation::GetItem, task(Operation::GetItem, "bolt")),
            (Operation::ListUsers, task(Operation::ListUsers, "")),
        ] {
            assert_eq!(shop.begin(wanted), begun);
        }
    }

    #[test]
    fn what_there_is_too_much_of_is_deleted() {
        let shop = shop();
        for id in 0..MAX_ORDERS {
            let placed = shop.begin(Operation::PlaceOrder);
            assert_eq!(placed.operation, Operation::PlaceOrder);
            shop.end(placed, Outcome::Ok, id.to_string());
        }
        let deleted = shop.begin(Operation::PlaceOrder);
        assert_eq!(deleted.operation, Operation::DeleteOrder);
        shop.end(deleted, Outcome::Ok, String::new());
        let placed = shop.begin(Operation::PlaceOrder);
        assert_eq!(placed.operation, Operation::PlaceOrder);
    }

    #[test]
    fn an_order_belongs_to_one_request_at_a_time() {
        let shop = shop();
        let placed = shop.begin(Operation::PlaceOrder);
        shop.end(placed, Outcome::Ok, "one".to_owned());
        let read = shop.begin(Operation::ReadOrder);
        assert_eq!(read, task(Operation::ReadOrder, "one"));
        let other = shop.begin(Operation::DeleteOrder);
        assert_eq!(other.operation, Operation::PlaceOrder);
        shop.end(read, Outcome::Failed(Failure::Timeout), String::new());
        let deleted = shop.begin(Operation::DeleteOrder);
        assert_eq!(deleted, task(Operation::DeleteOrder, "one"));
    }

    #[test]
    fn an_order_whose_end_is_unknown_is_not_read_again() {
        let shop = shop();
        let placed = shop.begin(Operation::PlaceOrder);
        shop.end(placed, Outcome::Ok, "one".to_owned());
        let refused = shop.begin(Operation::DeleteOrder);
        shop.end(refused, Outcome::Limited, String::new());
        let deleted = shop.begin(Operation::DeleteOrder);
        assert_eq!(deleted, task(Operation::DeleteOrder, "one"));
        shop.end(deleted, Outcome::Failed(Failure::Timeout), String::new());
        let next = shop.begin(Operation::ReadOrder);
        assert_eq!(next.operation, Operation::PlaceOrder);
    }

    #[test]
    fn lists_are_read_page_by_page_and_from_the_start_after_a_failure() {
        let shop = shop();
        let first = shop.begin(Operation::ListItems);
        shop.end(first, Outcome::Ok, "second".to_owned());
        let second = shop.begin(Operation::ListItems);
        assert_eq!(second.subject, "second");
        shop.end(second, Outcome::Failed(Failure::Timeout), String::new());
        assert_eq!(shop.begin(Operation::ListItems).subject, "");
    }
}
