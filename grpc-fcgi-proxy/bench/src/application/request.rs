//! The records that a web server sends to an application: the half of FastCGI that the proxy never reads.

use bytes::{Buf, Bytes, BytesMut};
use grpc_fcgi_proxy::fastcgi::record::HEADER_LENGTH;

const BEGIN_REQUEST: u8 = 1;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const KEEP_CONN: u8 = 1;

/// One record of a request.
pub(super) enum RequestRecord {
    /// BEGIN_REQUEST, with the flag that keeps the connection open after the answer.
    Begin { keep: bool },
    /// Name-value pairs; an empty record ends them.
    Params(Bytes),
    /// Input; an empty record ends it.
    Stdin(Bytes),
    /// Any other type, which is ignored.
    Other,
}

/// Decodes the next record; `None` while its bytes are incomplete.
pub(super) fn decode(input: &mut BytesMut) -> Option<RequestRecord> {
    let &[_, kind, _, _, high, low, padding, _] = input.first_chunk::<HEADER_LENGTH>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = HEADER_LENGTH + length + usize::from(padding);
    if input.len() < whole {
        input.reserve(whole - input.len());
        return None;
    }
    let mut record = input.split_to(whole);
    record.advance(HEADER_LENGTH);
    record.truncate(length);
    let content = record.freeze();
    Some(match kind {
        BEGIN_REQUEST => RequestRecord::Begin {
            keep: content.get(2).is_some_and(|flags| flags & KEEP_CONN != 0),
        },
        PARAMS => RequestRecord::Params(content),
        STDIN => RequestRecord::Stdin(content),
        _ => RequestRecord::Other,
    })
}

/// The value of a variable among these pairs.
pub(super) fn variable(mut pairs: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    loop {
        let name_length = length(&mut pairs)?;
        let value_length = length(&mut pairs)?;
        let (this, rest) = pairs.split_at_checked(name_length)?;
        let (value, rest) = rest.split_at_checked(value_length)?;
        if this == name {
            return Some(value.to_vec());
        }
        pairs = rest;
    }
}

/// FastCGI 1.0, section 3.4: one byte up to 127, else four with the highest bit set.
fn length(pairs: &mut &[u8]) -> Option<usize> {
    if *pairs.first()? < 0x80 {
        return Some(pairs.get_u8().into());
    }
    let long = pairs.try_get_u32().ok()? & 0x7fff_ffff;
    usize::try_from(long).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_after_a_long_one_is_found() {
        let long = [b'x'; 200];
        let pairs = [b"\x01\x80\0\0\xc8A", &long[..], b"\x03\x02URIok"].concat();
        assert_eq!(variable(&pairs, b"URI").as_deref(), Some(&b"ok"[..]));
        assert_eq!(variable(&pairs, b"B"), None);
        assert_eq!(variable(&pairs[..100], b"URI"), None);
    }
}
