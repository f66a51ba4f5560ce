//! The JSON of users and orders, indented for its place in the report.

use std::{
    io::{self, ErrorKind, Write},
    sync::atomic::{AtomicUsize, Ordering},
};

use proto::{item::Item, order::GetOrderDetailResponse, user::User};
use serde::{Serialize, ser::Error as _};
use serde_json::{Error, value::RawValue};

use super::ReportError;

/// What surrounds a row in the text, at most.
const AROUND: usize = 64;

#[derive(Serialize)]
struct ReportUser {
    id: String,
    name: String,
    address: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
}

#[derive(Serialize)]
struct ReportOrder {
    id: String,
    user: String,
    items: Vec<ReportItem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_items: Vec<String>,
}

#[derive(Serialize)]
struct ReportItem {
    id: String,
    name: String,
    description: String,
}

/// Writes the rows of a report, for entries that are indented by a number of spaces.
#[derive(Debug)]
pub(super) struct Rows {
    entries: usize,
    /// The bytes of text that are left: the lists of a whole report both take of them.
    left: AtomicUsize,
}

impl Rows {
    pub(super) const fn new(entries: usize, text: usize) -> Self {
        Self {
            entries,
            left: AtomicUsize::new(text),
        }
    }

    /// Fails if too few bytes are left.
    pub(super) fn user(&self, user: User) -> Result<Box<RawValue>, ReportError> {
        let User {
            id,
            name,
            address,
            email,
        } = user;
        let user = ReportUser {
            id,
            name,
            address,
            email,
        };
        self.row(&user, self.entries + 2)
    }

    /// Fails if too few bytes are left.
    pub(super) fn order(
        &self,
        detail: GetOrderDetailResponse,
    ) -> Result<Box<RawValue>, ReportError> {
        let order = ReportOrder {
            id: detail.id,
            user: detail.user,
            items: detail.items.into_iter().map(ReportItem::from).collect(),
            missing_items: detail.missing_items,
        };
        self.row(&order, self.entries + 4)
    }

    fn row(&self, row: &impl Serialize, spaces: usize) -> Result<Box<RawValue>, ReportError> {
        let mut lines = Lines {
            text: Vec::new(),
            spaces,
            limit: self.left.load(Ordering::Relaxed),
        };
        serde_json::to_writer_pretty(&mut lines, row)?;
        let text = String::from_utf8(lines.text).map_err(Error::custom)?;
        let length = text.len() + AROUND;
        let take = |left: usize| left.checked_sub(length);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map_err(|_| ReportError::TooLarge)?;
        Ok(RawValue::from_string(text)?)
    }
}

/// Indents each line but the first, and fails before it exceeds a limit by more than a line.
struct Lines {
    text: Vec<u8>,
    spaces: usize,
    limit: usize,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            return Err(ErrorKind::FileTooLarge.into());
        }
        // A string in JSON contains no line break.
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.text.extend_from_slice(line);
            if line.ends_with(b"\n") {
                self.text.resize(self.text.len() + self.spaces, b' ');
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::Places;

    /// All of its bytes but the first are escaped with six.
    fn longest(bytes: usize) -> String {
        format!("{:\u{1}<bytes$}", "a")
    }

    fn order(pieces: usize) -> GetOrderDetailResponse {
        let item = Item {
            id: longest(128),
            name: longest(256),
            description: longest(4096),
            ..Item::default()
        };
        GetOrderDetailResponse {
            id: longest(128),
            user: longest(128),
            items: vec![item; pieces],
            missing_items: Vec::new(),
        }
    }

    #[test]
    fn the_longest_user_and_order_that_the_services_accept_fit_into_the_largest_page() {
        let user = User {
            id: longest(128),
            name: longest(256),
            address: longest(1024),
            email: longest(320),
        };
        let rows = Rows::new(4, Places::largest(&Places::large()).extent.text);
        rows.user(user).unwrap();
        rows.order(order(1000)).unwrap();
    }

    #[test]
    fn rows_take_no_more_than_is_left() {
        let length = Rows::new(4, usize::MAX)
            .order(order(1))
            .unwrap()
            .get()
            .len();
        let rows = Rows::new(4, 2 * (length + AROUND));
        for fits in [true, true, false] {
            assert_eq!(rows.order(order(1)).is_ok(), fits);
        }
        let error = rows.order(order(1)).unwrap_err();
        assert!(matches!(error, ReportError::TooLarge), "{error}");
    }

    #[test]
    fn a_row_that_is_too_long_is_given_up_at_the_limit() {
        let mut lines = Lines {
            text: Vec::new(),
            spaces: 8,
            limit: 5000,
        };
        let text = vec![longest(100); 1000];
        assert!(serde_json::to_writer_pretty(&mut lines, &text).is_err());
        assert!((4900..=5008).contains(&lines.text.len()));
    }
}
