//! A call's status, and the header fields that carry it.
//!
//! PROTOCOL-HTTP2, "Status" and "Status-Message"; http-grpc-status-mapping.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};
pub use tonic::Code;

/// The decimal code; in the trailers of every call.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The message for developers.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// A `google.rpc.Status` in base64.
pub const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// "Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E )"; other bytes are always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Ends a message that was cut.
const CUT: &str = " [truncated]";

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// One of the 17.
    pub code: Code,
    /// Not percent-encoded. May be empty.
    pub message: Cow<'static, str>,
    /// The value of `grpc-status-details-bin`.
    pub details: Option<HeaderValue>,
}

impl Default for Status {
    fn default() -> Self {
        Self::OK
    }
}

impl From<Status> for tonic::Status {
    fn from(status: Status) -> Self {
        Self::new(status.code, status.message)
    }
}

impl Status {
    /// Success.
    pub const OK: Self = Self::new(Code::Ok, "");

    /// A status with a fixed message.
    #[must_use]
    pub const fn new(code: Code, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
            details: None,
        }
    }

    /// Adds the header fields to trailers, or to the header of a Trailers-Only response.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(GRPC_STATUS, HeaderValue::from(self.code as i32));
        if !self.message.is_empty() {
            headers.insert(GRPC_MESSAGE, encode_message(&self.message));
        }
        if let Some(details) = &self.details {
            headers.insert(GRPC_STATUS_DETAILS, details.clone());
        }
    }

    /// The length of the message as it is sent, percent-encoded.
    #[must_use]
    pub fn message_length(&self) -> usize {
        self.message.chars().map(encoded_length).sum()
    }

    /// Cuts the message at a character if it is longer than `limit` bytes as it is sent. Returns whether it was cut.
    pub fn cut_message(&mut self, limit: usize) -> bool {
        if self.message_length() <= limit {
            return false;
        }
        self.message = match limit.checked_sub(CUT.len()) {
            Some(room) => format!("{}{CUT}", beginning(&self.message, room)).into(),
            None => Cow::Borrowed(""),
        };
        true
    }
}

/// The longest beginning of a text that has at most `room` bytes when it is percent-encoded.
fn beginning(text: &str, mut room: usize) -> &str {
    for (at, c) in text.char_indices() {
        match room.checked_sub(encoded_length(c)) {
            Some(left) => room = left,
            None => return &text[..at],
        }
    }
    text
}

/// The length of a character in a percent-encoded message.
fn encoded_length(c: char) -> usize {
    let plain = matches!(c, ' '..='$' | '&'..='~');
    c.len_utf8() * if plain { 1 } else { 3 }
}

fn encode_message(message: &str) -> HeaderValue {
    let encoded: Cow<'_, str> = percent_encode(message.as_bytes(), ENCODED).into();
    // Percent-encoded text is always valid: printable ASCII.
    HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static(""))
}

/// Decodes a `grpc-message`. "When decoding invalid values, implementations MUST NOT error or throw away the message."
#[must_use]
pub fn decode_message(value: &[u8]) -> String {
    percent_decode(value).decode_utf8_lossy().into_owned()
}

/// Decodes a `grpc-status`. Anything but the number of a code is UNKNOWN.
#[must_use]
pub fn decode_code(value: &[u8]) -> Code {
    Code::from_bytes(value)
}

/// The code of an answer with an HTTP status but no `grpc-status` (http-grpc-status-mapping). 200 is OK, since the
/// predecessor's applications print their message and nothing else.
#[must_use]
pub fn from_http(status: u16) -> Code {
    match status {
        200 => Code::Ok,
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The name of the code in the metrics of go-grpc-prometheus.
#[must_use]
pub const fn label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_encoded_outside_the_printable_ascii() {
        let table = [
            (
                "plain text with spaces & <signs>",
                "plain text with spaces & <signs>",
            ),
            ("100% sure", "100%25 sure"),
            ("\t\r\n", "%09%0D%0A"),
            ("☺ 😈", "%E2%98%BA %F0%9F%98%88"),
            ("~\u{7f}", "~%7F"),
        ];
        for (text, encoded) in table {
            assert_eq!(encode_message(text), encoded);
            assert_eq!(decode_message(encoded.as_bytes()), text);
        }
    }

    #[test]
    fn a_message_is_cut_at_a_character_of_its_encoded_form() {
        let table = [
            ("plain", 5, "plain"),
            ("plain text of many words", 23, "plain text  [truncated]"),
            // Each of these characters is 9 bytes on the wire, and a sign 3.
            ("☺☺☺", 27, "%E2%98%BA%E2%98%BA%E2%98%BA"),
            ("☺☺☺", 26, "%E2%98%BA [truncated]"),
            ("☺☺☺", 20, " [truncated]"),
            ("%%%%%%%", 20, "%25%25 [truncated]"),
            ("no room for the mark", 11, ""),
        ];
        for (text, limit, sent) in table {
            let mut status = Status::new(Code::NotFound, text);
            let cut = status.cut_message(limit);
            assert_eq!(encode_message(&status.message), sent);
            assert_eq!(
                (cut, status.message_length()),
                (status.message != text, sent.len())
            );
            assert!(sent.len() <= limit, "{text}");
        }
    }

    #[test]
    fn decoding_a_message_never_fails() {
        let table: [(&[u8], &str); 4] = [
            (b"%", "%"),
            (b"%4", "%4"),
            (b"50% off", "50% off"),
            (b"%FF\xff", "\u{fffd}\u{fffd}"),
        ];
        for (value, text) in table {
            assert_eq!(decode_message(value), text);
        }
    }

    #[test]
    fn an_undefined_code_is_unknown() {
        for (value, code) in [
            ("0", Code::Ok),
            ("5", Code::NotFound),
            ("17", Code::Unknown),
            ("x", Code::Unknown),
        ] {
            assert_eq!(decode_code(value.as_bytes()), code);
        }
    }

    #[test]
    fn trailers_have_a_decimal_status_always() {
        let mut trailers = HeaderMap::new();
        Status::OK.write(&mut trailers);
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers[GRPC_STATUS], "0");
        Status::new(Code::Unauthenticated, "no").write(&mut trailers);
        assert_eq!(
            (
                trailers[GRPC_STATUS].as_bytes(),
                trailers[GRPC_MESSAGE].as_bytes()
            ),
            (&b"16"[..], &b"no"[..])
        );
    }

    #[test]
    fn labels_are_those_of_go_grpc_prometheus() {
        let labels = [
            Code::Ok,
            Code::Cancelled,
            Code::NotFound,
            Code::DeadlineExceeded,
        ]
        .map(label);
        assert_eq!(labels, ["OK", "Canceled", "NotFound", "DeadlineExceeded"]);
    }
}
