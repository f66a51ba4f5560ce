//! Percent-encoding.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes all of a text. `None` if an escape is malformed, or the result is not UTF-8.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    if !is_well_formed(text) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Decodes a text of a query, in which a plus sign is a space.
pub(super) fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode(text);
    }
    let spaced = text.replace('+', " ");
    Some(decode(&spaced)?.into_owned().into())
}

/// Decodes a part of a path that may be more than one segment. A `%2F` or `%2f` stays as it is, as http.proto says of
/// HttpRule: within a segment, a slash would pass for the end of it.
pub(super) fn decode_segments(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escape = if byte == b'%' { escape(after) } else { None };
        match escape {
            Some(escaped) if escaped != b'/' => {
                decoded.push(escaped);
                rest = &after[2..];
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok()
}

fn is_well_formed(text: &str) -> bool {
    let mut escapes = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    escapes.all(|rest| escape(rest).is_some())
}

/// The byte that two hexadecimal digits are.
fn escape(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(*text.first()?)? << 4 | digit(*text.get(1)?)?;
    u8::try_from(value).ok()
}
