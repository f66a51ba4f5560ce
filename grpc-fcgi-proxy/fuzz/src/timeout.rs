//! `grpc-timeout`.

use grpc_wire::timeout::decode;

/// `TimeoutValue TimeoutUnit`, and nothing else.
pub fn check(input: &[u8]) {
    let expected = str::from_utf8(input).ok().and_then(nanoseconds);
    assert_eq!(
        decode(input).ok().map(|timeout| timeout.as_nanos()),
        expected
    );
}

fn nanoseconds(text: &str) -> Option<u128> {
    let digits = text.trim_end_matches(['H', 'M', 'S', 'm', 'u', 'n']);
    let unit = match &text[digits.len()..] {
        "H" => 3_600_000_000_000,
        "M" => 60_000_000_000,
        "S" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1000,
        "n" => 1,
        _ => return None,
    };
    let valid = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid
        .then(|| digits.parse::<u128>().ok())?
        .map(|count| count * unit)
}
