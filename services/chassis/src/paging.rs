//! Pagination according to AIP-158: <https://google.aip.dev/158>.
//!
//! A page begins after the last id of the previous page, so that rows inserted or deleted between two calls shift
//! nothing. The token is opaque to clients, and valid only for its own list.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tonic::Status;

use crate::validate::Violations;

/// The page size if the client does not choose one.
pub(crate) const DEFAULT_PAGE_SIZE: usize = 50;
pub(crate) const MAX_PAGE_SIZE: usize = 1000;

/// The format of a token. A token in another format is refused, not misread.
const VERSION: u8 = 1;
/// Bytes in a token, well above what two ids can take.
const MAX_TOKEN: usize = 2048;

/// A request for a page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The name of the list, including its filter.
    list: String,
    /// The maximum number of rows.
    pub size: usize,
    /// The last id of the previous page; empty for the first page.
    pub after: String,
}

#[derive(Serialize, Deserialize)]
struct PageToken {
    v: u8,
    list: String,
    after: String,
}

impl PageRequest {
    /// Validates the fields of a list request. `list` names the list, including its filter.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT if the size is negative, or the token is not from this list.
    pub fn new(list: String, size: i32, token: &str) -> Result<Self, Status> {
        let after = match token {
            "" => Some(String::new()),
            token => decode(token, &list),
        };
        Violations::new()
            .unless(size >= 0, "page_size", "must not be negative")
            .unless(
                after.is_some(),
                "page_token",
                "must be a next_page_token of the same list",
            )
            .check()?;
        let size = match usize::try_from(size) {
            Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
            Ok(size) => size.min(MAX_PAGE_SIZE),
        };
        let after = after.unwrap_or_default();
        Ok(Self { list, size, after })
    }

    /// The number of rows to query: one more than the page holds reveals whether another page follows.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).map_or(i64::MAX, |size| size + 1)
    }

    /// Truncates the rows to the page, and returns the token of the next page; empty if this is the last one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> &str) -> String {
        self.cut_at(rows, self.size, id)
    }

    /// Like [`Self::cut`], but to `size` rows if that is fewer: a page may be short.
    pub fn cut_at<T>(&self, rows: &mut Vec<T>, size: usize, id: impl Fn(&T) -> &str) -> String {
        let size = size.min(self.size);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last()
            .map(|last| self.token(id(last)))
            .unwrap_or_default()
    }

    /// Returns the token of a page of the same list that begins after `after`.
    pub fn token(&self, after: &str) -> String {
        let json = serde_json::json!({ "v": VERSION, "list": self.list, "after": after });
        URL_SAFE_NO_PAD.encode(json.to_string())
    }
}

fn decode(token: &str, list: &str) -> Option<String> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(token).ok()?;
    let token: PageToken = serde_json::from_slice(&json).ok()?;
    let ours = token.v == VERSION && token.list == list && !token.after.contains('\0');
    ours.then_some(token.after)
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    fn page(size: i32, token: &str) -> Result<PageRequest, Status> {
        PageRequest::new("users".to_owned(), size, token)
    }

    #[test]
    fn sizes_are_bounded() {
        for (requested, used) in [
            (0, 50),
            (1, 1),
            (1000, 1000),
            (1001, 1000),
            (i32::MAX, 1000),
        ] {
            assert_eq!(page(requested, "").unwrap().size, used);
        }
    }

    #[test]
    fn a_negative_size_names_its_field() {
        let status = page(-1, "").unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "page_size");
    }

    #[test]
    fn a_full_page_has_a_token_that_continues_after_its_last_row() {
        let first = page(2, "").unwrap();
        let mut rows = vec!["a", "b", "c"];
        let token = first.cut(&mut rows, |row| row);
        assert_eq!(rows, ["a", "b"]);
        assert_eq!(page(2, &token).unwrap().after, "b");
    }

    #[test]
    fn the_last_page_has_no_token() {
        let mut rows = vec!["a", "b"];
        assert_eq!(page(2, "").unwrap().cut(&mut rows, |row| row), "");
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let token = PageRequest::new("orders of a".to_owned(), 1, "")
            .unwrap()
            .token("x");
        assert!(PageRequest::new("orders of a".to_owned(), 1, &token).is_ok());
        let status = PageRequest::new("orders of b".to_owned(), 1, &token).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "page_token");
    }

    #[test]
    fn an_invalid_token_is_refused() {
        let of_the_future = URL_SAFE_NO_PAD.encode(r#"{"v":2,"list":"users","after":"a"}"#);
        let too_long = "A".repeat(MAX_TOKEN + 1);
        for token in ["x", "b", "💥", "e30", &of_the_future, &too_long] {
            assert_eq!(page(1, token).unwrap_err().code(), Code::InvalidArgument);
        }
    }
}
