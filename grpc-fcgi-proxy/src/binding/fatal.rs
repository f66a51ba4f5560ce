//! Finds the error that ended a script in PHP's log.
//!
//! If the script has already printed something, its answer looks like one without a status: php-fpm sends what there is,
//! and END_REQUEST.

use memchr::memmem;

/// How php-fpm begins each record of PHP's log. Nothing ends a record: another one follows after `; `.
const RECORD: &[u8] = b"PHP message: PHP ";
/// PHP's names of the errors that end a script (php_error_cb in main/main.c).
const FATAL: [&[u8]; 3] = [
    b"Fatal error:  ",
    b"Parse error:  ",
    b"Recoverable fatal error:  ",
];
/// All but the last byte of the longest beginning.
const OVERLAP: usize = RECORD.len() + FATAL[2].len() - 1;

/// Reads a script's STDERR in pieces.
#[derive(Debug, Default)]
pub(crate) struct FatalErrors {
    found: bool,
    /// The last bytes, in which a record may have begun.
    last: Vec<u8>,
}

impl FatalErrors {
    pub(crate) fn found(&self) -> bool {
        self.found
    }

    /// Adds a piece of STDERR.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        let begin = &piece[..piece.len().min(OVERLAP)];
        self.last.extend_from_slice(begin);
        self.found |= contains_fatal_error(&self.last) || contains_fatal_error(piece);
        if piece.len() > OVERLAP {
            self.last.clear();
            self.last.extend_from_slice(&piece[piece.len() - OVERLAP..]);
        } else {
            let superfluous = self.last.len().saturating_sub(OVERLAP);
            self.last.drain(..superfluous);
        }
    }
}

fn contains_fatal_error(log: &[u8]) -> bool {
    memmem::find_iter(log, RECORD).any(|at| {
        let message = &log[at + RECORD.len()..];
        FATAL.iter().any(|error| message.starts_with(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pieces: &[&[u8]]) -> bool {
        let mut errors = FatalErrors::default();
        for piece in pieces {
            errors.push(piece);
        }
        errors.found()
    }

    #[test]
    fn a_fatal_error_is_found_wherever_the_log_is_split() {
        for error in [
            "Fatal error:  Uncaught Exception: no in /a.php:3",
            "Parse error:  Unclosed '(' in /b.php on line 2",
            "Recoverable fatal error:  Object of class A could not be converted to string",
        ] {
            let log =
                format!("PHP message: a; PHP message: PHP Notice:  b; PHP message: PHP {error}");
            let log = log.as_bytes();
            for at in 0..log.len() {
                for then in at..log.len() {
                    assert!(found(&[&log[..at], &log[at..then], &log[then..]]));
                }
            }
        }
    }

    #[test]
    fn other_records_are_not_errors_that_ended_the_script() {
        for log in [
            "PHP message: PHP Warning:  Undefined variable $a",
            "PHP message: after PHP Fatal error:  in another script",
            "PHP message: PHP Fatal error: quoted",
            "PHP Fatal error:  of another program",
        ] {
            assert!(!found(&[log.as_bytes(), log.as_bytes()]), "{log}");
        }
    }
}
