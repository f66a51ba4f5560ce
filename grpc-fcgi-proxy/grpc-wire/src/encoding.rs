//! Compression of messages, one by one.
//!
//! [Compression in gRPC](https://github.com/grpc/grpc/blob/master/doc/compression.md): `grpc-encoding` names it, the
//! flag of each message says whether it is used.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue};

/// Names the client's encoding, or the answer's.
pub const GRPC_ENCODING: &str = "grpc-encoding";
/// Lists what the other side may use.
pub const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";
/// What the proxy takes.
pub const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");

/// Compresses well enough, and fast.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// An encoding that really compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// A message that can't be had plain.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    /// The flag says compressed, and no `grpc-encoding` says how.
    #[error("the message is compressed, and grpc-encoding does not say how")]
    NotNamed,
    /// An encoding that is not known here.
    #[error("grpc-encoding names an encoding that is not supported")]
    Unknown,
    /// Not what its encoding has it.
    #[error("the message cannot be decompressed: {0}")]
    Malformed(#[from] io::Error),
    /// Over the limit when it is plain.
    #[error("the message has more than {limit} bytes when it is decompressed")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
}

impl Encoding {
    /// What the value of `grpc-encoding` names.
    ///
    /// # Errors
    ///
    /// If it is none of ours. `identity`, and no value, are none at all.
    pub fn named(value: Option<&HeaderValue>) -> Result<Option<Self>, EncodingError> {
        match value.map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(None),
            Some(b"gzip") => Ok(Some(Self::Gzip)),
            Some(b"zstd") => Ok(Some(Self::Zstd)),
            Some(_) => Err(EncodingError::Unknown),
        }
    }

    /// Whether the client takes it.
    #[must_use]
    pub fn is_accepted(self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(GRPC_ACCEPT_ENCODING).iter();
        let mut names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        names.any(|name| name.trim_ascii() == self.name().as_bytes())
    }

    /// Its name in header fields.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses a message.
    ///
    /// # Errors
    ///
    /// Not for want of anything but memory.
    pub fn compress(self, content: &[u8]) -> io::Result<Bytes> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                encoder.write_all(content)?;
                encoder.finish().map(Bytes::from)
            }
            Self::Zstd => zstd::stream::encode_all(content, ZSTD_LEVEL).map(Bytes::from),
        }
    }

    /// Decompresses a message, but never to more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// If it is malformed, or larger.
    pub fn decompress(self, content: &[u8], limit: usize) -> Result<Bytes, EncodingError> {
        match self {
            Self::Gzip => read_bounded(MultiGzDecoder::new(content), limit),
            Self::Zstd => read_bounded(zstd::stream::read::Decoder::with_buffer(content)?, limit),
        }
    }
}

fn read_bounded(reader: impl Read, limit: usize) -> Result<Bytes, EncodingError> {
    let mut content = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(one_more).read_to_end(&mut content)?;
    if content.len() > limit {
        Err(EncodingError::TooLarge { limit })
    } else {
        Ok(content.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_decompresses_within_the_limit() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            for size in [0, 1, 1000, 100_000] {
                let content = vec![b'x'; size];
                let compressed = encoding.compress(&content).unwrap();
                assert_eq!(encoding.decompress(&compressed, size).unwrap(), content);
                let bomb = encoding.decompress(&compressed, size.saturating_sub(1));
                assert_eq!(
                    matches!(bomb, Err(EncodingError::TooLarge { .. })),
                    size > 0
                );
            }
        }
    }

    #[test]
    fn what_is_not_compressed_is_malformed() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let error = encoding.decompress(b"not compressed at all", 100);
            assert!(matches!(error, Err(EncodingError::Malformed(_))));
        }
    }

    #[test]
    fn names_are_those_of_the_specification() {
        let named = |text| Encoding::named(Some(&HeaderValue::from_static(text)));
        assert_eq!(named("gzip").unwrap(), Some(Encoding::Gzip));
        assert_eq!(named("identity").unwrap(), None);
        assert!(matches!(named("snappy"), Err(EncodingError::Unknown)));
        let mut headers = HeaderMap::new();
        headers.append(
            GRPC_ACCEPT_ENCODING,
            HeaderValue::from_static("identity, gzip"),
        );
        assert!(Encoding::Gzip.is_accepted(&headers) && !Encoding::Zstd.is_accepted(&headers));
    }
}
