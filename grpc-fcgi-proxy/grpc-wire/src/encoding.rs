//! Compression, which is per message.
//!
//! [Compression in gRPC](https://github.com/grpc/grpc/blob/master/doc/compression.md): `grpc-encoding` names the
//! algorithm, and a flag of each message marks it as compressed.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue};

/// Names the encoding of the messages that follow.
pub const GRPC_ENCODING: &str = "grpc-encoding";
/// Lists the encodings that the peer may use.
pub const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";
/// The encodings that are accepted from clients.
pub const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");

/// The default of gzip and zstd themselves: the usual balance of size and speed.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// A compression algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// What a `grpc-encoding` header field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamedEncoding {
    /// No compression: `identity`, no such field, or an empty one.
    #[default]
    Identity,
    /// An algorithm that is implemented here.
    Known(Encoding),
    /// Any other name.
    Unsupported,
}

/// A compressed message that cannot be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    /// The message is flagged as compressed, but `grpc-encoding` names no algorithm.
    #[error("the message is compressed, but grpc-encoding names no encoding")]
    NotNamed,
    /// `grpc-encoding` names an algorithm that is not implemented here.
    #[error("grpc-encoding names an unsupported encoding")]
    Unsupported,
    /// The bytes are not what the algorithm produces.
    #[error("the message cannot be decompressed: {0}")]
    Malformed(#[from] io::Error),
    /// The decompressed message exceeds the limit.
    #[error("the decompressed message exceeds {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

impl NamedEncoding {
    /// Reads the value of `grpc-encoding`.
    #[must_use]
    pub fn read(value: Option<&[u8]>) -> Self {
        match value {
            // An empty name counts as none, as in grpc-go.
            None | Some(b"" | b"identity") => Self::Identity,
            Some(b"gzip") => Self::Known(Encoding::Gzip),
            Some(b"zstd") => Self::Known(Encoding::Zstd),
            Some(_) => Self::Unsupported,
        }
    }

    /// Reads `grpc-encoding` from the header fields of a request.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self::read(headers.get(GRPC_ENCODING).map(HeaderValue::as_bytes))
    }

    /// The algorithm, if it is one that is implemented here.
    #[must_use]
    pub fn known(self) -> Option<Encoding> {
        match self {
            Self::Known(encoding) => Some(encoding),
            Self::Identity | Self::Unsupported => None,
        }
    }

    /// Decompresses a message that is flagged as compressed, to at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If `grpc-encoding` names no algorithm that is implemented here, or as in [`Encoding::decompress`].
    pub fn decompress(self, content: &[u8], limit: usize) -> Result<Bytes, EncodingError> {
        match self {
            Self::Identity => Err(EncodingError::NotNamed),
            Self::Known(encoding) => encoding.decompress(content, limit),
            Self::Unsupported => Err(EncodingError::Unsupported),
        }
    }
}

impl Encoding {
    /// Whether the client's `grpc-accept-encoding` lists it.
    #[must_use]
    pub fn is_accepted(self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(GRPC_ACCEPT_ENCODING).iter();
        let mut names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        names.any(|name| name.trim_ascii() == self.name().as_bytes())
    }

    /// The name in header fields.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses a message, and appends it to `out`.
    ///
    /// # Errors
    ///
    /// Only if the encoder fails.
    pub fn compress(self, content: &[u8], mut out: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, Compression::new(GZIP_LEVEL));
                encoder.write_all(content)?;
                encoder.finish()
            }
            Self::Zstd => {
                zstd::stream::copy_encode(content, &mut out, ZSTD_LEVEL)?;
                Ok(out)
            }
        }
    }

    /// Decompresses a message to at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If the message is malformed, or exceeds the limit.
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
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_compressed_message_decompresses_up_to_the_limit() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            for size in [0, 1, 1000, 100_000] {
                let content = vec![b'x'; size];
                let compressed = encoding.compress(&content, Vec::new()).unwrap();
                assert_eq!(encoding.decompress(&compressed, size).unwrap(), content);
                let bomb = encoding.decompress(&compressed, size.saturating_sub(1));
                assert_eq!(
                    matches!(bomb, Err(EncodingError::TooLarge { .. })),
                    size > 0
                );
            }
        }
    }

    /// Compared with the work of compressing as many bytes, so that it holds on any machine. flate2's default decoder
    /// needs some 60 times that.
    #[test]
    fn the_work_for_each_byte_of_a_hostile_message_is_bounded() {
        const LENGTH: usize = 256 * 1024;
        // A member that never ends, of blocks without content. Each has ten bits: five bytes are four blocks.
        let blocks = [0x02, 0x08, 0x20, 0x80, 0x00];
        let endless = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].into_iter();
        let endless: Vec<_> = endless
            .chain(blocks.into_iter().cycle())
            .take(LENGTH)
            .collect();
        let member = Encoding::Gzip.compress(b"", Vec::new()).unwrap();
        let members: Vec<_> = member.iter().copied().cycle().take(LENGTH).collect();
        let usual: Vec<_> = (0_u32..).flat_map(u32::to_be_bytes).take(LENGTH).collect();
        let usual = shortest(|| drop(Encoding::Gzip.compress(&usual, Vec::new())));
        for hostile in [endless, members] {
            let work = shortest(|| {
                assert!(Encoding::Gzip.decompress(&hostile, LENGTH).is_err());
            });
            assert!(work < 10 * usual, "{work:?}, and {usual:?} to compress");
        }
    }

    #[allow(clippy::disallowed_methods, reason = "measures the processor's work")]
    fn shortest(work: impl Fn()) -> Duration {
        let times = std::iter::repeat_with(|| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        times.take(3).min().unwrap()
    }

    #[test]
    fn other_bytes_are_malformed() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let error = encoding.decompress(b"not compressed at all", 100);
            assert!(matches!(error, Err(EncodingError::Malformed(_))));
        }
    }

    #[test]
    fn names_are_those_of_the_specification() {
        for (value, expected) in [
            (None, NamedEncoding::Identity),
            (Some(""), NamedEncoding::Identity),
            (Some("identity"), NamedEncoding::Identity),
            (Some("gzip"), NamedEncoding::Known(Encoding::Gzip)),
            (Some("zstd"), NamedEncoding::Known(Encoding::Zstd)),
            (Some("snappy"), NamedEncoding::Unsupported),
        ] {
            assert_eq!(NamedEncoding::read(value.map(str::as_bytes)), expected);
        }
    }

    #[test]
    fn a_client_accepts_the_encodings_that_it_lists() {
        let mut headers = HeaderMap::new();
        headers.append(
            GRPC_ACCEPT_ENCODING,
            HeaderValue::from_static("identity, gzip"),
        );
        assert!(Encoding::Gzip.is_accepted(&headers) && !Encoding::Zstd.is_accepted(&headers));
    }
}
