//! The names of header fields of the application that do not reach the client, for the log.

use std::fmt;

/// At most this number of bytes of names; further fields are only counted.
const MAX_NAMES: usize = 512;
/// At most this number of characters of a name.
const MAX_NAME: usize = 64;

/// Dropped header fields. Empty in most calls, and then as small as a pointer.
#[derive(Debug, Default)]
pub struct DroppedFields(Option<Box<Names>>);

#[derive(Debug, Default)]
struct Names {
    list: String,
    /// How many fields are not in the list.
    others: usize,
}

impl DroppedFields {
    /// Whether no field was dropped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds a field. The script chose its name, so it is escaped and bounded.
    pub fn add(&mut self, name: &str) {
        let names = self.0.get_or_insert_default();
        if names.list.len() >= MAX_NAMES {
            names.others += 1;
            return;
        }
        if !names.list.is_empty() {
            names.list.push_str(", ");
        }
        for c in name.chars().take(MAX_NAME) {
            names.list.extend(c.escape_debug());
        }
        if name.chars().nth(MAX_NAME).is_some() {
            names.list.push('…');
        }
    }

    /// Adds the fields of another part of the answer.
    pub fn append(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (_, None) => {}
            (empty @ None, other) => *empty = other,
            (Some(names), Some(other)) => {
                names.list.push_str(", ");
                names.list.push_str(&other.list);
                names.others += other.others;
            }
        }
    }
}

impl fmt::Display for DroppedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(names) = &self.0 else { return Ok(()) };
        f.write_str(&names.list)?;
        if names.others > 0 {
            write!(f, ", and {} others", names.others)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_in_order() {
        let (mut head, mut trailers) = (DroppedFields::default(), DroppedFields::default());
        assert!(head.is_empty());
        head.add("x-a");
        head.add("x b");
        trailers.add("x-c");
        head.append(trailers);
        assert_eq!(head.to_string(), "x-a, x b, x-c");
    }

    #[test]
    fn names_are_escaped_and_bounded() {
        let mut fields = DroppedFields::default();
        fields.add("x\u{1b}[2J\n");
        fields.add(&"y".repeat(60_000));
        for _ in 0..1000 {
            fields.add("z");
        }
        let text = fields.to_string();
        assert!(text.starts_with("x\\u{1b}[2J\\n, yyy"), "{text}");
        assert!(text.ends_with("z, and 856 others"), "{text}");
        assert!(text.len() < 2 * MAX_NAMES, "{}", text.len());
    }
}
