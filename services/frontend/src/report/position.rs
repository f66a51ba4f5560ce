//! Where a page of the report begins. Its token contains tokens of the user and order services, which stay opaque.

use proto::user::User;
use serde::{Deserialize, Serialize};

/// A place between two orders, or between two users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    /// The token of the page of users.
    users: String,
    /// The id of the last user of that page that was reported, at least in part; empty if none was.
    user: String,
    /// The token of that user's next orders; empty if all were reported.
    pub(super) orders: String,
}

impl Position {
    /// Before the orders with this token, of a user of the same page of users; after the user if the token is empty.
    pub(super) fn within(self, user: &User, orders: String) -> Self {
        Self {
            user: user.id.clone(),
            orders,
            ..self
        }
    }

    /// The token of the page of users.
    pub(super) fn users(&self) -> String {
        self.users.clone()
    }

    /// The same place, or the begin, on the page of users with this token; `None` if the token is empty.
    pub(super) fn on(self, users: String) -> Option<Self> {
        (!users.is_empty()).then_some(Self { users, ..self })
    }

    /// The users of the page that are left, and where the first one of them begins; `None` if the place is after them.
    pub(super) fn resume<'a>(&self, users: &'a [User]) -> Option<(&'a [User], Self)> {
        let found = users.iter().position(|user| user.id == self.user);
        match found {
            Some(at) if self.orders.is_empty() => Some((&users[at + 1..], self.clone())),
            Some(at) => Some((&users[at..], self.clone())),
            // It was deleted, so its orders are no longer reported, or new users have moved it to the next page.
            None => {
                let at = users.partition_point(|user| user.id < self.user);
                let begin = Self {
                    orders: String::new(),
                    ..self.clone()
                };
                (at < users.len()).then_some((&users[at..], begin))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(ids: &[&str]) -> Vec<User> {
        let user = |&id: &&str| User {
            id: id.to_owned(),
            ..User::default()
        };
        ids.iter().map(user).collect()
    }

    fn at(user: &str, orders: &str) -> Position {
        Position {
            user: user.to_owned(),
            orders: orders.to_owned(),
            ..Position::default()
        }
    }

    #[test]
    fn a_page_resumes_at_its_user_or_after_it_or_after_its_place_if_it_was_deleted() {
        for (position, left, orders) in [
            (at("", ""), &["b", "d", "c"][..], ""),
            (at("b", ""), &["d", "c"], ""),
            (at("b", "token"), &["b", "d", "c"], "token"),
            // The order of ids is that of the database.
            (at("d", ""), &["c"], ""),
            (at("c", ""), &[], ""),
            (at("bb", "token"), &["d", "c"], ""),
        ] {
            let all = users(&["b", "d", "c"]);
            let (rest, begin) = position.resume(&all).unwrap();
            assert_eq!((rest, &*begin.orders), (&users(left)[..], orders));
        }
    }

    #[test]
    fn a_place_that_new_users_have_moved_is_on_the_next_page() {
        let place = at("c", "token");
        assert_eq!(place.resume(&users(&["a", "b"])), None);
        let next = place.clone().on("next".to_owned()).unwrap();
        assert_eq!((&*next.user, &*next.orders), ("c", "token"));
        assert_eq!(place.on(String::new()), None);
    }
}
