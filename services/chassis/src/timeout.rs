//! `grpc-timeout`: how long the client still waits.
//!
//! Only decoding is here; tonic encodes it. See "Timeout" in
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::time::Duration;

use http::HeaderMap;

/// The header's name.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";

/// "TimeoutValue → {positive integer as ASCII string of at most 8 digits}"
const MAX_DIGITS: usize = 8;

/// The time that the client allows. One that cannot be read is as none: it must not fail the call.
pub fn requested(headers: &HeaderMap) -> Option<Duration> {
    decode(headers.get(GRPC_TIMEOUT)?.to_str().ok()?)
}

fn decode(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 60 * 60)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, expected) in [
            ("2H", Duration::from_secs(7200)),
            ("2M", Duration::from_secs(120)),
            ("5S", Duration::from_secs(5)),
            ("20m", Duration::from_millis(20)),
            ("7u", Duration::from_micros(7)),
            ("99999999n", Duration::from_nanos(99_999_999)),
            ("0S", Duration::ZERO),
        ] {
            assert_eq!(decode(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_timeout_is_none() {
        for text in [
            "",
            "S",
            "5",
            "5s",
            "-5S",
            "+5S",
            "123456789S",
            "1.5S",
            "5 S",
            "S5",
            "５S",
            "5é",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
