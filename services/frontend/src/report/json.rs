//! The JSON of users and orders, indented for its place in the report.

use proto::{item::Item, order::GetOrderDetailResponse, user::User};
use serde::Serialize;
use serde_json::{Error, value::RawValue};

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

/// Writes rows for entries that are indented by a number of spaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    entries: usize,
}

impl Rows {
    /// For entries at this indentation.
    pub(super) const fn at(entries: usize) -> Self {
        Self { entries }
    }

    pub(super) fn user(self, user: User) -> Result<Box<RawValue>, Error> {
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
        indented(&user, self.entries + 2)
    }

    pub(super) fn order(self, detail: GetOrderDetailResponse) -> Result<Box<RawValue>, Error> {
        let order = ReportOrder {
            id: detail.id,
            user: detail.user,
            items: detail.items.into_iter().map(ReportItem::from).collect(),
            missing_items: detail.missing_items,
        };
        indented(&order, self.entries + 4)
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

/// The bytes of a row in the text, or a few more.
pub(super) fn length(row: &RawValue) -> usize {
    row.get().len() + AROUND
}

fn indented(row: &impl Serialize, spaces: usize) -> Result<Box<RawValue>, Error> {
    // A string in JSON contains no line break.
    let line = format!("\n{:spaces$}", "");
    let text = serde_json::to_string_pretty(row)?.replace('\n', &line);
    RawValue::from_string(text)
}
