//! The statuses of missing resources, and the names of codes.

use tonic::{Code, Status};

/// Limits the resources or fields that a status names: clients limit the size of its header fields.
pub(crate) const MAX_NAMED: usize = 20;

/// Returns NOT_FOUND for a resource of the given kind.
pub fn not_found(kind: &str, id: &str) -> Status {
    Status::not_found(format!("not found: {kind}/{id}"))
}

/// Returns NOT_FOUND for several resources of the given kind.
pub fn all_not_found(kind: &str, ids: &[&str]) -> Status {
    let named: Vec<String> = ids
        .iter()
        .take(MAX_NAMED)
        .map(|id| format!("{kind}/{id}"))
        .collect();
    let mut message = format!("not found: {}", named.join(", "));
    if ids.len() > named.len() {
        message.push_str(&format!(" and {} more", ids.len() - named.len()));
    }
    Status::not_found(message)
}

/// Returns the name of a code in the gRPC specification, such as `NOT_FOUND`.
pub fn canonical(code: Code) -> String {
    if code == Code::Ok {
        return "OK".to_owned();
    }
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names_in_the_specification() {
        for (code, name) in [
            (Code::Ok, "OK"),
            (Code::Cancelled, "CANCELLED"),
            (Code::NotFound, "NOT_FOUND"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ] {
            assert_eq!(canonical(code), name);
        }
    }

    #[test]
    fn a_long_list_is_truncated_and_counts_the_rest() {
        assert_eq!(
            all_not_found("item", &["a", "b"]).message(),
            "not found: item/a, item/b"
        );
        let ids = vec!["a"; MAX_NAMED + 3];
        let status = all_not_found("item", &ids);
        assert!(status.message().ends_with("item/a and 3 more"));
    }
}
