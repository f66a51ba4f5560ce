//! Validates requests. One status lists every violation, field by field, as a `google.rpc.BadRequest`.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::status::MAX_NAMED;

/// The maximum length of an id in bytes.
pub(crate) const MAX_ID: usize = 128;
/// The maximum length of a name in bytes.
pub(crate) const MAX_NAME: usize = 256;

/// Collects the violations of a request.
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Begins without violations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks an id: it begins with a letter or a digit, and has at most 128 bytes.
    #[must_use]
    pub fn id(self, field: &str, value: &str) -> Self {
        self.begins(field, value).text(field, value, MAX_ID)
    }

    /// Checks a name: it begins with a letter or a digit, and has at most 256 bytes.
    #[must_use]
    pub fn name(self, field: &str, value: &str) -> Self {
        self.begins(field, value).text(field, value, MAX_NAME)
    }

    /// Checks a text: it has at most `max` bytes, and no NUL, which PostgreSQL cannot store.
    #[must_use]
    pub fn text(self, field: &str, value: &str, max: usize) -> Self {
        let fits = self.unless(
            value.len() <= max,
            field,
            &format!("must not be longer than {max} bytes"),
        );
        fits.unless(!value.contains('\0'), field, "must not contain NUL")
    }

    /// Checks a list of at most `max` ids. A violation names the index: `items[1]`.
    #[must_use]
    pub fn ids(mut self, field: &str, values: &[String], max: usize) -> Self {
        if values.len() > max {
            return self.unless(
                false,
                field,
                &format!("must not have more than {max} elements"),
            );
        }
        for (index, value) in values.iter().enumerate() {
            self = self.id(&format!("{field}[{index}]"), value);
        }
        self
    }

    /// Adds a violation unless `valid`.
    #[must_use]
    pub(crate) fn unless(mut self, valid: bool, field: &str, description: &str) -> Self {
        if !valid {
            self.0.push(FieldViolation::new(field, description));
        }
        self
    }

    /// Ends the validation.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT if the request has a violation.
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
        let valid = value.starts_with(|first: char| first.is_ascii_alphanumeric());
        self.unless(
            valid,
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
    fn an_id_begins_with_a_letter_or_a_digit() {
        for value in ["a", "Z", "0", "a b", "aé", "6ab9e0c2-e7be"] {
            assert!(Violations::new().id("id", value).check().is_ok(), "{value}");
        }
    }

    #[test]
    fn any_other_beginning_names_the_field() {
        for value in ["", " a", "-a", "_", "é", "\n", "\0"] {
            let status = Violations::new().name("name", value).check().unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(fields(&status)[0], "name");
            assert!(status.message().contains("^[A-Za-z0-9]"));
        }
    }

    #[test]
    fn one_status_lists_all_violations() {
        let items = ["ok", "", "-"].map(str::to_owned);
        let status = Violations::new()
            .id("user", "")
            .ids("items", &items, 1000)
            .check()
            .unwrap_err();
        assert_eq!(fields(&status), ["user", "items[1]", "items[2]"]);
    }

    #[test]
    fn too_long_an_id_and_too_many_ids_are_refused() {
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
    fn nul_is_refused_because_postgresql_cannot_store_it() {
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
