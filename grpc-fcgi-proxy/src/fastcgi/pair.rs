//! Name-value pairs, and the PARAMS records that carry them.
//!
//! FastCGI 1.0, section 3.4. php-fpm asks for more than the specification does: a pair must not span two records.

use bytes::BufMut;

use super::record::{HEADER_LENGTH, MAX_CONTENT_LENGTH, RecordType, encode_header};

/// A pair that does not fit in one record. It is never truncated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the meta-variable {name} is longer than a FastCGI record")]
pub struct PairTooLong {
    /// The name of the pair.
    pub name: String,
}

/// Encodes the PARAMS stream of a request behind its BEGIN_REQUEST.
#[derive(Debug)]
pub struct ParamsEncoder {
    out: Vec<u8>,
    /// The offset of the current record's header.
    record: usize,
}

impl ParamsEncoder {
    /// Appends to `out`.
    #[must_use]
    pub fn begin(out: Vec<u8>) -> Self {
        let mut params = Self { record: 0, out };
        params.begin_record();
        params
    }

    /// Adds a pair.
    ///
    /// # Errors
    ///
    /// If it does not fit in one record.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), PairTooLong> {
        let length =
            encoded_length(name.len()) + encoded_length(value.len()) + name.len() + value.len();
        if length > MAX_CONTENT_LENGTH {
            return Err(PairTooLong {
                name: String::from_utf8_lossy(name).into_owned(),
            });
        }
        if self.content_length() + length > MAX_CONTENT_LENGTH {
            self.next_record();
        }
        self.out.reserve(length);
        encode_length(name.len(), &mut self.out);
        encode_length(value.len(), &mut self.out);
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(value);
        Ok(())
    }

    /// Ends the stream with an empty record, and returns all bytes.
    #[must_use]
    pub fn end(mut self) -> Vec<u8> {
        // An empty record would end the stream early.
        if self.content_length() > 0 {
            self.next_record();
        }
        self.close_record();
        self.out
    }

    fn content_length(&self) -> usize {
        self.out.len() - self.record - HEADER_LENGTH
    }

    fn next_record(&mut self) {
        self.close_record();
        self.begin_record();
    }

    fn begin_record(&mut self) {
        self.record = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_LENGTH]);
    }

    fn close_record(&mut self) {
        let length = u16::try_from(self.content_length()).unwrap_or(u16::MAX);
        self.out[self.record..self.record + HEADER_LENGTH]
            .copy_from_slice(&encode_header(RecordType::Params, length));
    }
}

const fn encoded_length(length: usize) -> usize {
    if length < 0x80 { 1 } else { 4 }
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short @ ..0x80) => out.push(short),
        // `push` bounds it.
        _ => out.put_u32(u32::try_from(length).unwrap_or(u32::MAX) | 0x8000_0000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_one_byte_or_four() {
        let table: [(usize, &[u8]); 5] = [
            (0, &[0]),
            (127, &[127]),
            (128, &[0x80, 0, 0, 128]),
            (256, &[0x80, 0, 1, 0]),
            (65_000, &[0x80, 0, 0xfd, 0xe8]),
        ];
        for (length, bytes) in table {
            let mut out = Vec::new();
            encode_length(length, &mut out);
            assert_eq!(out, bytes, "{length}");
            assert_eq!(out.len(), encoded_length(length));
        }
    }

    #[test]
    fn a_stream_ends_with_an_empty_record() {
        let mut params = ParamsEncoder::begin(Vec::new());
        params.push(b"A", b"bc").unwrap();
        assert_eq!(
            params.end(),
            b"\x01\x04\x00\x01\x00\x05\x00\x00\x01\x02Abc\x01\x04\x00\x01\x00\x00\x00\x00"
        );
        assert_eq!(
            ParamsEncoder::begin(Vec::new()).end(),
            b"\x01\x04\x00\x01\x00\x00\x00\x00"
        );
    }

    #[test]
    fn a_pair_never_spans_two_records() {
        let mut params = ParamsEncoder::begin(Vec::new());
        for name in [b"A", b"B", b"C"] {
            params.push(name, &[b'x'; 40_000]).unwrap();
        }
        let out = params.end();
        let record = HEADER_LENGTH + 1 + 4 + 1 + 40_000;
        assert_eq!(out.len(), 3 * record + HEADER_LENGTH);
        for start in [0, record, 2 * record] {
            assert_eq!(out[start + 1], RecordType::Params as u8);
        }
    }

    /// The predecessor truncated long parameters silently.
    #[test]
    fn a_pair_that_does_not_fit_is_refused_not_truncated() {
        let mut params = ParamsEncoder::begin(Vec::new());
        assert!(
            params
                .push(b"A", &vec![b'x'; MAX_CONTENT_LENGTH - 6])
                .is_ok()
        );
        let error = params
            .push(b"A", &vec![b'x'; MAX_CONTENT_LENGTH - 5])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the meta-variable A is longer than a FastCGI record"
        );
    }
}
