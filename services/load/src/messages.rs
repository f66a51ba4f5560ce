//! The messages of the shop, as JSON: only the fields that the load reads or writes.

use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::client::Answer;

/// All but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as a segment of a path, or as a value in a query.
pub(crate) fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, RESERVED)
}

/// The user to create.
#[derive(Debug, Serialize)]
pub(crate) struct NewUser<'a> {
    pub(crate) name: &'a str,
}

/// The order to place.
#[derive(Debug, Serialize)]
pub(crate) struct NewOrder<'a> {
    pub(crate) user: &'a str,
    pub(crate) items: Vec<&'a str>,
}

/// An item, a user or an order.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
}

/// A page of any list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    #[serde(alias = "items", alias = "users", alias = "orders", default)]
    pub(crate) records: Vec<Record>,
    #[serde(default)]
    pub(crate) next_page_token: String,
}

impl From<Page> for String {
    fn from(page: Page) -> Self {
        page.next_page_token
    }
}

/// A page of the report.
#[derive(Debug, Deserialize)]
pub(crate) struct ReportPage {
    next_page_token: String,
}

impl From<ReportPage> for String {
    fn from(page: ReportPage) -> Self {
        page.next_page_token
    }
}

/// An error, as google.rpc.Status.
#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    #[serde(default)]
    reason: String,
}

/// Whether an item of the order has run out: FAILED_PRECONDITION, with a reason.
pub(crate) fn is_out_of_stock(answer: &Answer) -> bool {
    let status: Option<Status> = answer.json();
    answer.status == StatusCode::BAD_REQUEST
        && status.is_some_and(|it| it.details.iter().any(|it| it.reason == "OUT_OF_STOCK"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_records_of_any_kind() {
        for text in [
            r#"{"items":[{"id":"1","name":"Bolt","quantity":3}],"nextPageToken":"x"}"#,
            r#"{"users":[{"id":"1","email":""}],"nextPageToken":"x"}"#,
            r#"{"orders":[{"id":"1","user":"2","items":["3"]}],"nextPageToken":"x"}"#,
        ] {
            let page: Page = serde_json::from_str(text).unwrap();
            assert_eq!((&*page.records[0].id, &*page.next_page_token), ("1", "x"));
        }
        let empty: Page = serde_json::from_str("{}").unwrap();
        assert!(empty.records.is_empty() && empty.next_page_token.is_empty());
    }

    #[test]
    fn an_id_is_one_segment() {
        assert_eq!(encoded("a/b?c d-e").to_string(), "a%2Fb%3Fc%20d-e");
    }
}
