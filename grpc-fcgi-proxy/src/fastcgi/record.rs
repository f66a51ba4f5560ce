//! Records: their header, and those that an application sends.
//!
//! Owns the layout of bytes; does no I/O. FastCGI 1.0, section 3.3 (records) and section 5 (application record
//! types).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The length of every header.
pub const HEADER_LENGTH: usize = 8;
/// The largest content of one record: its length has 16 bits.
pub const MAX_CONTENT_LENGTH: usize = u16::MAX as usize;
/// A connection carries one exchange at a time, so one id is enough.
const REQUEST_ID: u16 = 1;

const VERSION: u8 = 1;
const ROLE_RESPONDER: u16 = 1;
/// Section 5.1: "If not zero, the application does not close the connection after responding to this request."
const KEEP_CONN: u8 = 1;
const REQUEST_COMPLETE: u8 = 0;

/// The types of record that this side sends or understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum RecordType {
    BeginRequest = 1,
    EndRequest = 3,
    Params = 4,
    Stdin = 5,
    Stdout = 6,
    Stderr = 7,
}

/// A record that an application sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Record {
    /// A piece of the answer. Empty content ends the stream, which END_REQUEST implies.
    Stdout(Bytes),
    /// A piece of its log.
    Stderr(Bytes),
    /// The exchange is over.
    EndRequest,
}

/// A record that an application must not send. The connection is unusable after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another version, or not FastCGI at all.
    #[error("record of FastCGI version {0}, not 1")]
    Version(u8),
    /// A type that only a web server sends, or that the specification does not define.
    #[error("record of type {0}, which an application does not send")]
    Type(u8),
    /// An answer to a request that was never sent.
    #[error("record of request {0}, not of the request on this connection")]
    RequestId(u16),
    /// END_REQUEST's body is 8 bytes.
    #[error("END_REQUEST with {0} bytes of content, not 8")]
    EndRequestLength(u16),
    /// FCGI_CANT_MPX_CONN, FCGI_OVERLOADED or FCGI_UNKNOWN_ROLE.
    #[error("request refused with protocol status {0}")]
    Refused(u8),
}

/// Encodes the header of a record without padding.
pub fn encode_header(kind: RecordType, content_length: u16) -> [u8; HEADER_LENGTH] {
    let [id_high, id_low] = REQUEST_ID.to_be_bytes();
    let [length_high, length_low] = content_length.to_be_bytes();
    [
        VERSION,
        kind as u8,
        id_high,
        id_low,
        length_high,
        length_low,
        0,
        0,
    ]
}

/// Encodes BEGIN_REQUEST: the role of a Responder, and a connection that the application closes or keeps.
pub(crate) fn encode_begin_request(keep_connection: bool, out: &mut impl BufMut) {
    out.put_slice(&encode_header(RecordType::BeginRequest, 8));
    out.put_u16(ROLE_RESPONDER);
    out.put_u8(if keep_connection { KEEP_CONN } else { 0 });
    out.put_bytes(0, 5);
}

/// Removes the next complete record from `input`; `None` if more bytes are needed.
///
/// # Errors
///
/// If an application must not send such a record.
pub fn decode(input: &mut BytesMut) -> Result<Option<Record>, RecordError> {
    let Some(header) = input.first_chunk::<HEADER_LENGTH>() else {
        return Ok(None);
    };
    let [
        version,
        kind,
        id_high,
        id_low,
        length_high,
        length_low,
        padding,
        _reserved,
    ] = *header;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let id = u16::from_be_bytes([id_high, id_low]);
    if id != REQUEST_ID {
        return Err(RecordError::RequestId(id));
    }
    let content_length = u16::from_be_bytes([length_high, length_low]);
    check_type(kind, content_length)?;

    let length = HEADER_LENGTH + usize::from(content_length) + usize::from(padding);
    if input.len() < length {
        input.reserve(length - input.len());
        return Ok(None);
    }
    let mut record = input.split_to(length);
    record.advance(HEADER_LENGTH);
    record.truncate(content_length.into());
    classify(kind, record.freeze()).map(Some)
}

/// Refuses a record by its header alone, without waiting for the content of a peer that is not FastCGI.
fn check_type(kind: u8, content_length: u16) -> Result<(), RecordError> {
    match kind {
        k if k == RecordType::Stdout as u8 || k == RecordType::Stderr as u8 => Ok(()),
        k if k == RecordType::EndRequest as u8 && content_length == 8 => Ok(()),
        k if k == RecordType::EndRequest as u8 => {
            Err(RecordError::EndRequestLength(content_length))
        }
        k => Err(RecordError::Type(k)),
    }
}

fn classify(kind: u8, content: Bytes) -> Result<Record, RecordError> {
    if kind == RecordType::Stdout as u8 {
        return Ok(Record::Stdout(content));
    }
    if kind == RecordType::Stderr as u8 {
        return Ok(Record::Stderr(content));
    }
    // appStatus (4 bytes), protocolStatus (1), reserved (3). php-fpm's appStatus is always 0.
    match content.get(4) {
        Some(&REQUEST_COMPLETE) => Ok(Record::EndRequest),
        Some(&refused) => Err(RecordError::Refused(refused)),
        None => Err(RecordError::EndRequestLength(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: [u8; 16] = [1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    fn decode_all(bytes: &[u8]) -> Result<Option<Record>, RecordError> {
        decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn begin_request_is_as_specified() {
        let mut out = BytesMut::new();
        encode_begin_request(false, &mut out);
        encode_begin_request(true, &mut out);
        assert_eq!(
            out.as_ref(),
            [
                [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
            ]
            .concat()
        );
    }

    #[test]
    fn records_decode_with_padding_and_leave_what_follows() {
        let mut input = BytesMut::from(&b"\x01\x06\x00\x01\x00\x02\x03\x00hi\0\0\0\x01\x07"[..]);
        assert_eq!(
            decode(&mut input),
            Ok(Some(Record::Stdout(Bytes::from_static(b"hi"))))
        );
        assert_eq!(input.as_ref(), b"\x01\x07");
        assert_eq!(decode(&mut input), Ok(None));
    }

    #[test]
    fn a_record_split_at_any_byte_waits_for_the_rest() {
        for at in 0..END.len() {
            let mut input = BytesMut::from(&END[..at]);
            assert_eq!(decode(&mut input), Ok(None), "split at {at}");
            input.extend_from_slice(&END[at..]);
            assert_eq!(decode(&mut input), Ok(Some(Record::EndRequest)));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn records_that_an_application_must_not_send_are_refused() {
        let table: [(&[u8], RecordError); 6] = [
            (b"\x02\x06\x00\x01\x00\x00\x00\x00", RecordError::Version(2)),
            (b"HTTP/1.1", RecordError::Version(b'H')),
            (b"\x01\x05\x00\x01\x00\x00\x00\x00", RecordError::Type(5)),
            (
                b"\x01\x06\x00\x02\x00\x00\x00\x00",
                RecordError::RequestId(2),
            ),
            (
                b"\x01\x03\x00\x01\x00\x07\x00\x00",
                RecordError::EndRequestLength(7),
            ),
            (
                b"\x01\x03\x00\x01\x00\x08\x00\x00\0\0\0\0\x02\0\0\0",
                RecordError::Refused(2),
            ),
        ];
        for (bytes, error) in table {
            assert_eq!(decode_all(bytes), Err(error), "{bytes:?}");
        }
    }
}
