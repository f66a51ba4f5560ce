//! The frames of HTTP/2.

pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;

/// RFC 9113, section 4.1.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A frame without its payload, and the payload's length.
    pub(super) fn from_header(header: [u8; 9]) -> (Self, usize) {
        let [a, b, c, kind, flags, d, e, f, g] = header;
        let frame = Self {
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]),
            payload: Vec::new(),
        };
        (frame, u32::from_be_bytes([0, a, b, c]) as usize)
    }
}
