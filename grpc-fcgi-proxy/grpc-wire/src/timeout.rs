//! `grpc-timeout`: how long the client waits for the end of a call.
//!
//! PROTOCOL-HTTP2: `Timeout → "grpc-timeout" TimeoutValue TimeoutUnit`, a positive integer "as ASCII string of at
//! most 8 digits" and one of `H M S m u n`.

use std::time::Duration;

use http::HeaderMap;
use tonic::Code;

use crate::status::Status;

/// Carries the timeout of a call.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";

const MAX_DIGITS: usize = 8;

/// A malformed `grpc-timeout`: the call fails with INTERNAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n")]
pub struct InvalidTimeout;

impl From<InvalidTimeout> for Status {
    fn from(_: InvalidTimeout) -> Self {
        Self::new(Code::Internal, "malformed grpc-timeout")
    }
}

/// The timeout of a request; `None` if the client sets none.
///
/// # Errors
///
/// If the header field is malformed.
pub fn requested(headers: &HeaderMap) -> Result<Option<Duration>, InvalidTimeout> {
    match headers.get(GRPC_TIMEOUT) {
        Some(value) => decode(value.as_bytes()).map(Some),
        None => Ok(None),
    }
}

/// Decodes the value of a `grpc-timeout` header field.
///
/// # Errors
///
/// If the value is malformed.
pub fn decode(value: &[u8]) -> Result<Duration, InvalidTimeout> {
    let (unit, digits) = value.split_last().ok_or(InvalidTimeout)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidTimeout);
    }
    let count = digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Ok(Duration::from_secs(count * 3600)),
        b'M' => Ok(Duration::from_secs(count * 60)),
        b'S' => Ok(Duration::from_secs(count)),
        b'm' => Ok(Duration::from_millis(count)),
        b'u' => Ok(Duration::from_micros(count)),
        b'n' => Ok(Duration::from_nanos(count)),
        _ => Err(InvalidTimeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_known() {
        let table = [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("6n", Duration::from_nanos(6)),
            ("0S", Duration::ZERO),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ];
        for (text, duration) in table {
            assert_eq!(decode(text.as_bytes()), Ok(duration), "{text}");
        }
    }

    #[test]
    fn anything_else_is_invalid() {
        for text in [
            "",
            "S",
            "1",
            "1s",
            "1h",
            "-1S",
            "+1S",
            "1.5S",
            " 1S",
            "1S ",
            "123456789S",
            "1\u{00b5}",
        ] {
            assert_eq!(decode(text.as_bytes()), Err(InvalidTimeout), "{text:?}");
        }
    }
}
