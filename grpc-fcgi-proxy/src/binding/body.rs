//! The header fields of an answer that describe its body, the CGI answer's: they are not metadata of the call.

/// What they say.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyFields {
    /// Content-Length, if it is a number.
    pub length: Option<u64>,
    /// Content-Type is application/grpc, of any kind.
    pub is_grpc: bool,
    /// The body is another form of what the script has printed, or a part of it: it is no message.
    pub(super) is_transformed: bool,
}

impl BodyFields {
    /// Adds the field if it is one of them. The name is in lower case.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) -> bool {
        match name {
            "content-type" => self.is_grpc = value.starts_with(b"application/grpc"),
            "content-length" => {
                self.length = str::from_utf8(value).ok().and_then(|v| v.parse().ok())
            }
            "content-encoding" | "transfer-encoding" => {
                self.is_transformed |= !matches!(value, b"" | b"identity");
            }
            "content-range" => self.is_transformed = true,
            _ => return false,
        }
        true
    }
}
