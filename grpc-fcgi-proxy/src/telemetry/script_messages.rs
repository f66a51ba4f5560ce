//! Splits a script's STDERR into messages with their levels. Neither records of FastCGI nor lines are messages.
//!
//! php-fpm writes `PHP message: ` before each message and `; ` between two, but nothing after one, and keeps the line feeds
//! inside. Text without that prefix is taken line by line.

use std::borrow::Cow;

use tracing::Level;

const PREFIX: &[u8] = b"PHP message: ";
const SEPARATOR: &[u8] = b"; PHP message: ";
/// A longer message is split.
const MAX_MESSAGE: usize = 8 * 1024;

/// The beginning of a message that has not ended yet.
#[derive(Debug, Default)]
pub(crate) struct ScriptMessages {
    text: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Kind {
    #[default]
    Line,
    Php,
    /// The rest of a message that was split.
    Rest(Severity),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Severity {
    Error,
    Warning,
    Notice,
}

impl ScriptMessages {
    /// Adds the content of a STDERR record, and writes the messages that it ends.
    pub(crate) fn push(&mut self, content: &[u8], mut write: impl FnMut(Level, Cow<'_, str>)) {
        for &byte in content {
            self.text.push(byte);
            match byte {
                b' ' if self.text.ends_with(SEPARATOR) => {
                    self.text.truncate(self.text.len() - SEPARATOR.len());
                    self.end(&mut write);
                    self.kind = Kind::Php;
                }
                b' ' if self.kind == Kind::Line && self.text == PREFIX => {
                    self.text.clear();
                    self.kind = Kind::Php;
                }
                b'\n' if self.kind == Kind::Line => self.end(&mut write),
                // What follows may still be a separator.
                _ if self.text.len() == MAX_MESSAGE + SEPARATOR.len() => self.split(&mut write),
                _ => {}
            }
        }
    }

    /// Whether a message of PHP has begun, whose end is not known yet.
    pub(crate) fn in_php_message(&self) -> bool {
        self.kind != Kind::Line
    }

    /// Writes the message that the script has begun. php-fpm writes nothing else between the pieces of a message, so other
    /// output ends it.
    pub(crate) fn end_php_message(&mut self, write: impl FnMut(Level, Cow<'_, str>)) {
        if self.in_php_message() {
            self.end(write);
        }
    }

    /// Writes what the script has begun.
    pub(crate) fn end(&mut self, mut write: impl FnMut(Level, Cow<'_, str>)) {
        let text = self.text.trim_ascii_end();
        if !text.is_empty() {
            let level = self.kind.severity(text).level();
            write(level, String::from_utf8_lossy(text));
        }
        self.text.clear();
        self.kind = Kind::Line;
    }

    fn split(&mut self, mut write: impl FnMut(Level, Cow<'_, str>)) {
        let rest = self.text.split_off(MAX_MESSAGE);
        let severity = self.kind.severity(&self.text);
        write(severity.level(), String::from_utf8_lossy(&self.text));
        self.text = rest;
        if self.kind != Kind::Line {
            self.kind = Kind::Rest(severity);
        }
    }
}

impl Kind {
    fn severity(self, text: &[u8]) -> Severity {
        match self {
            Self::Line => Severity::Warning,
            Self::Php => Severity::of(text),
            Self::Rest(severity) => severity,
        }
    }
}

impl Severity {
    /// PHP's own messages begin with `PHP` and the name of their level. The others are the script's, by `error_log`.
    fn of(text: &[u8]) -> Self {
        let own = text.strip_prefix(b"PHP ").and_then(|text| {
            let end = text.iter().position(|byte| *byte == b':')?;
            Some(&text[..end])
        });
        match own {
            Some(b"Fatal error" | b"Recoverable fatal error" | b"Parse error") => Self::Error,
            Some(b"Notice" | b"Deprecated" | b"Strict Standards") => Self::Notice,
            _ if text.starts_with(b"Uncaught ") || text.starts_with(b"uncaught ") => Self::Error,
            _ => Self::Warning,
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Error => Level::ERROR,
            Self::Warning => Level::WARN,
            Self::Notice => Level::INFO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of this STDERR, in records of `size` bytes.
    fn split(stderr: &[u8], size: usize) -> Vec<(Level, String)> {
        let mut split = Vec::new();
        let mut messages = ScriptMessages::default();
        let mut write = |level, text: Cow<'_, str>| split.push((level, text.into_owned()));
        for record in stderr.chunks(size) {
            messages.push(record, &mut write);
        }
        messages.end(&mut write);
        split
    }

    #[test]
    fn messages_are_split_and_have_the_level_of_php() {
        // As written by php-fpm 8.2.
        let trace = "PHP Fatal error:  Uncaught Exception: a\nb in /a.php:1\nStack trace:\n#0 {main}\n  thrown in /a.php on line 1";
        let stderr = format!(
            "Primary script unknown\nPHP message: own text; PHP message: two\nlines\n; PHP message: PHP Warning:  w in /a.php; \
             PHP message: PHP Notice:  n; PHP message: ; PHP message: PHP Deprecated:  d; PHP message: {trace}; \
             PHP message: uncaught exception in /a.B/C: x; PHP message: PHP Parse error:  p; PHP message: at the end; PHP mess"
        );
        let expected = [
            (Level::WARN, "Primary script unknown"),
            (Level::WARN, "own text"),
            (Level::WARN, "two\nlines"),
            (Level::WARN, "PHP Warning:  w in /a.php"),
            (Level::INFO, "PHP Notice:  n"),
            (Level::INFO, "PHP Deprecated:  d"),
            (Level::ERROR, trace),
            (Level::ERROR, "uncaught exception in /a.B/C: x"),
            (Level::ERROR, "PHP Parse error:  p"),
            (Level::WARN, "at the end; PHP mess"),
        ]
        .map(|(level, text)| (level, text.to_owned()));
        for size in [1, 2, 7, 100, stderr.len()] {
            assert_eq!(split(stderr.as_bytes(), size), expected, "{size}");
        }
    }

    #[test]
    fn lines_of_other_applications_are_split() {
        let expected = ["first", "second", "third"].map(|line| (Level::WARN, line.to_owned()));
        assert_eq!(split(b"first\r\n\nsecond\nthird", 3), expected);
    }

    #[test]
    fn a_long_message_is_split_and_keeps_its_level() {
        for end in MAX_MESSAGE - 20..MAX_MESSAGE + 20 {
            let head = b"PHP Fatal error:  ";
            let text = [head, &vec![b'x'; end - head.len()][..]].concat();
            let stderr = [PREFIX, &text, SEPARATOR, b"next"].concat();
            let messages = split(&stderr, 1000);
            let (next, pieces) = messages.split_last().unwrap();
            assert_eq!(*next, (Level::WARN, "next".to_owned()), "{end}");
            assert!(pieces.iter().all(|(level, _)| *level == Level::ERROR));
            let whole: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(whole.as_bytes(), text, "{end}");
            assert_eq!(pieces.len(), 1 + usize::from(end > MAX_MESSAGE), "{end}");
        }
    }

    #[test]
    fn other_output_ends_a_message_of_php_but_not_a_line() {
        let mut messages = ScriptMessages::default();
        let mut ended = Vec::new();
        messages.push(b"PHP message: PHP Notice:  n", |_, _| panic!("not ended"));
        messages.end_php_message(|level, text| ended.push((level, text.into_owned())));
        assert_eq!(ended, [(Level::INFO, "PHP Notice:  n".to_owned())]);
        messages.push(b"; PHP message: next", |_, _| panic!("not ended"));
        assert_eq!(messages.kind, Kind::Php);
        messages.end(|_, text| assert_eq!(text, "next"));
        messages.push(b"a li", |_, _| panic!("not ended"));
        messages.end_php_message(|_, _| panic!("not ended"));
        messages.push(b"ne\n", |_, text| assert_eq!(text, "a line"));
    }
}
