//! Checks of what a client sends. All that is wrong is told at once, field by field, as a
//! `google.rpc.BadRequest`.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::status::MAX_NAMED;

/// Bytes in an id.
pub(crate) const MAX_ID: usize = 128;
/// Bytes in a name.
pub(crate) const MAX_NAME: usize = 256;

/// Collects what is wrong with a request.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Nothing is wrong so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// An id: `^[A-Za-z0-9]`, and not too long.
    #[must_use]
    pub fn id(self, field: &str, value: &str) -> Self {
        self.begins(field, value).text(field, value, MAX_ID)
    }

    /// A name: `^[A-Za-z0-9]`, and not too long.
    #[must_use]
    pub fn name(self, field: &str, value: &str) -> Self {
        self.begins(field, value).text(field, value, MAX_NAME)
    }

    /// Any text that is not too long, and that every database can keep.
    #[must_use]
    pub fn text(self, field: &str, value: &str, max: usize) -> Self {
        let fits = self.unless(
            value.len() <= max,
            field,
            &format!("must not be longer than {max} bytes"),
        );
        fits.unless(!value.contains('\0'), field, "must not contain NUL")
    }

    /// Ids, named by their place: `items[1]`.
    #[must_use]
    pub fn ids(mut self, field: &str, values: &[String], max: usize) -> Self {
        if values.len() > max {
            return self.unless(false, field, &format!("must not be more than {max}"));
        }
        for (index, value) in values.iter().enumerate() {
            self = self.id(&format!("{field}[{index}]"), value);
        }
        self
    }

    /// Anything else.
    #[must_use]
    pub(crate) fn unless(mut self, right: bool, field: &str, description: &str) -> Self {
        if !right {
            self.0.push(FieldViolation::new(field, description));
        }
        self
    }

    /// # Errors
    ///
    /// INVALID_ARGUMENT if anything was wrong.
    pub fn check(mut self) -> Result<(), Status> {
        let Some(first) = self.0.first() else {
            return Ok(());
        };
        let message = format!("invalid argument: {} {}", first.field, first.description);
        self.0.truncate(MAX_NAMED);
        let details = ErrorDetails::with_bad_request(self.0);
        Err(Status::with_error_details(
            Code::InvalidArgument,
            message,
            details,
        ))
    }

    fn begins(self, field: &str, value: &str) -> Self {
        let right = value.starts_with(|first: char| first.is_ascii_alphanumeric());
        self.unless(
            right,
            field,
            "must begin with a letter or a digit (^[A-Za-z0-9])",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(status: &Status) -> Vec<String> {
        let violations = status.get_details_bad_request().unwrap().field_violations;
        violations.into_iter().map(|one| one.field).collect()
    }

    #[test]
    fn what_begins_with_a_letter_or_a_digit_is_right() {
        for value in ["a", "Z", "0", "a b", "aé", "6ab9e0c2-e7be"] {
            assert!(Violations::new().id("id", value).check().is_ok(), "{value}");
        }
    }

    #[test]
    fn what_does_not_is_named() {
        for value in ["", " a", "-a", "_", "é", "\n", "\0"] {
            let status = Violations::new().name("name", value).check().unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(fields(&status)[0], "name");
            assert!(status.message().contains("^[A-Za-z0-9]"));
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let items = ["ok", "", "-"].map(str::to_owned);
        let status = Violations::new()
            .id("user", "")
            .ids("items", &items, 1000)
            .check()
            .unwrap_err();
        assert_eq!(fields(&status), ["user", "items[1]", "items[2]"]);
    }

    #[test]
    fn what_is_too_long_or_too_many_is_refused() {
        let long = "a".repeat(MAX_ID + 1);
        assert!(Violations::new().id("id", &long).check().is_err());
        assert!(Violations::new().id("id", &long[1..]).check().is_ok());
        let many = vec!["a".to_owned(); 3];
        let status = Violations::new()
            .ids("items", &many, 2)
            .check()
            .unwrap_err();
        assert_eq!(fields(&status), ["items"]);
    }

    #[test]
    fn nul_is_refused_because_postgresql_has_none() {
        assert!(
            Violations::new()
                .text("address", "a\0b", 9)
                .check()
                .is_err()
        );
    }

    #[test]
    fn the_list_of_violations_is_bounded() {
        let many = vec![String::new(); 500];
        let status = Violations::new()
            .ids("items", &many, 500)
            .check()
            .unwrap_err();
        assert_eq!(fields(&status).len(), MAX_NAMED);
    }
}
