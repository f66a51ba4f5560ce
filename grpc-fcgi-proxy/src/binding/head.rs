//! What a script answers: CGI header fields, a blank line, a body.
//!
//! RFC 3875, section 6. The header fields become the call's status and metadata here.

use http::{HeaderMap, HeaderValue};

pub use super::head_decoder::HeadDecoder;
use grpc_wire::encoding::{Encoding, NamedEncoding};
use grpc_wire::metadata;
use grpc_wire::status::{self, Code, Status};

/// A longer header is refused, and so are longer trailers.
pub const MAX_HEAD_LENGTH: usize = 64 * 1024;
/// The fields behind this prefix are trailing metadata.
const TRAILER_PREFIX: &str = "grpc-trailer-";

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// No blank line within the limit, or a trailers frame over it.
    #[error("the application's header fields are longer than {MAX_HEAD_LENGTH} bytes")]
    HeadTooLong,
    /// The answer ended before the blank line.
    #[error("the application's answer has no end of its header fields")]
    NoEndOfHead,
    /// A trailers frame that does not say how the call ended.
    #[error("the application's trailers have no grpc-status")]
    NoStatus,
    /// A line without a colon, or a Status that is no number.
    #[error("the application's answer has a malformed header field")]
    Malformed,
}

/// What the header fields say.
#[derive(Debug)]
pub struct Head {
    /// How the call ended, if they say it: by a `Grpc-Status`, or by an HTTP status other than 200.
    pub status: Option<Status>,
    /// What the answer is to be compressed with.
    pub encoding: Option<Encoding>,
    /// Initial metadata.
    pub metadata: HeaderMap,
    /// Trailing metadata, without the status.
    pub trailers: HeaderMap,
    /// Fields that gRPC can't carry, and were left out.
    pub left_out: usize,
}

/// What the trailers frame says.
#[derive(Debug)]
pub struct Trailers {
    /// How the call ended.
    pub status: Status,
    /// Trailing metadata.
    pub metadata: HeaderMap,
    /// Fields that gRPC can't carry, and were left out.
    pub left_out: usize,
}

pub(super) fn parse(head: &[u8]) -> Result<Head, ResponseError> {
    let mut fields = Fields::default();
    fields.add_lines(head)?;
    Ok(fields.into_head())
}

#[derive(Default)]
struct Fields {
    http_status: Option<u16>,
    code: Option<Code>,
    message: String,
    details: Option<HeaderValue>,
    encoding: Option<Encoding>,
    metadata: HeaderMap,
    trailers: HeaderMap,
    left_out: usize,
}

impl Fields {
    fn add_lines(&mut self, lines: &[u8]) -> Result<(), ResponseError> {
        for line in lines.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                let colon = line
                    .iter()
                    .position(|byte| *byte == b':')
                    .ok_or(ResponseError::Malformed)?;
                self.add(&line[..colon], line[colon + 1..].trim_ascii())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), ResponseError> {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match name.as_str() {
            "status" => self.http_status = Some(http_status(value)?),
            "grpc-status" => self.code = Some(status::decode_code(value)),
            // An unknown encoding cannot be used: the answer goes out plain.
            "grpc-encoding" => self.encoding = NamedEncoding::read(Some(value)).known(),
            "grpc-message" => self.message = status::decode_message(value),
            "grpc-status-details-bin" => match metadata::normalize_base64(value) {
                Ok(details) => self.details = Some(details),
                Err(_) => self.left_out += 1,
            },
            // PHP sends these with every answer; they are about the CGI answer, not about the call.
            "content-type" | "content-length" => {}
            _ => {
                let added = match name.strip_prefix(TRAILER_PREFIX) {
                    Some(key) => metadata::append(&mut self.trailers, key, value),
                    None => metadata::append(&mut self.metadata, &name, value),
                };
                self.left_out += usize::from(added.is_err());
            }
        }
        Ok(())
    }

    fn into_head(self) -> Head {
        let status = match (self.code, self.http_status) {
            (Some(code), _) => Some(Status {
                code,
                message: self.message.into(),
                details: self.details,
            }),
            (None, None | Some(200)) => None,
            (None, Some(http_status)) => Some(without_grpc_status(http_status)),
        };
        Head {
            status,
            encoding: self.encoding,
            metadata: self.metadata,
            trailers: self.trailers,
            left_out: self.left_out,
        }
    }
}

fn without_grpc_status(http_status: u16) -> Status {
    let message = format!("the application answered with HTTP status {http_status}");
    Status {
        code: status::from_http(http_status),
        message: message.into(),
        details: None,
    }
}

/// Reads the trailers frame of a streaming call: lines as in a header, names in lower case, and a status.
///
/// # Errors
///
/// If it is malformed, too long, or has no status.
pub fn parse_trailers(block: &[u8]) -> Result<Trailers, ResponseError> {
    if block.len() > MAX_HEAD_LENGTH {
        return Err(ResponseError::HeadTooLong);
    }
    let mut fields = Fields::default();
    fields.add_lines(block)?;
    let code = fields.code.ok_or(ResponseError::NoStatus)?;
    let status = Status {
        code,
        message: fields.message.into(),
        details: fields.details,
    };
    Ok(Trailers {
        status,
        metadata: fields.metadata,
        left_out: fields.left_out,
    })
}

/// `Status: 404 Not Found`.
fn http_status(value: &[u8]) -> Result<u16, ResponseError> {
    let digits = value.first_chunk::<3>().ok_or(ResponseError::Malformed)?;
    let text = str::from_utf8(digits).map_err(|_| ResponseError::Malformed)?;
    text.parse().map_err(|_| ResponseError::Malformed)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn decode(bytes: &'static [u8]) -> Result<Option<(Head, Bytes)>, ResponseError> {
        HeadDecoder::default().push(&Bytes::from_static(bytes))
    }

    fn head(bytes: &'static [u8]) -> Head {
        decode(bytes).unwrap().unwrap().0
    }

    #[test]
    fn bare_line_feeds_end_lines_too() {
        let (head, body) = decode(b"Grpc-Status: 5\nGrpc-Message: not%20there\n\nx")
            .unwrap()
            .unwrap();
        assert_eq!(
            (head.status, &body[..]),
            (Some(Status::new(Code::NotFound, "not there")), &b"x"[..])
        );
    }

    #[test]
    fn without_a_grpc_status_the_http_status_decides() {
        let table = [
            ("Content-Type: application/grpc\r\n\r\n", Code::Ok),
            ("Status: 200 OK\r\n\r\n", Code::Ok),
            ("Status: 400 Bad Request\r\n\r\n", Code::Internal),
            ("Status: 401\r\n\r\n", Code::Unauthenticated),
            ("Status: 403 F\r\n\r\n", Code::PermissionDenied),
            ("Status: 404 Not Found\r\n\r\n", Code::Unimplemented),
            ("Status: 429 T\r\n\r\n", Code::Unavailable),
            ("Status: 502 B\r\n\r\n", Code::Unavailable),
            ("Status: 503 S\r\n\r\n", Code::Unavailable),
            ("Status: 504 G\r\n\r\n", Code::Unavailable),
            ("Status: 500 Internal Server Error\r\n\r\n", Code::Unknown),
            ("Status: 302 Found\r\n\r\n", Code::Unknown),
        ];
        for (answer, code) in table {
            assert_eq!(
                head(answer.as_bytes()).status.unwrap_or_default().code,
                code,
                "{answer:?}"
            );
        }
        assert_eq!(
            head(b"Status: 500 X\r\nGrpc-Status: 0\r\n\r\n")
                .status
                .unwrap()
                .code,
            Code::Ok
        );
    }

    #[test]
    fn metadata_and_trailing_metadata_are_told_apart() {
        let head = head(
            b"X-A: 1\r\nx-a: 2\r\nGrpc-Trailer-X-B-Bin: q6s=\r\nX-Bad: \x01\r\nGrpc-Odd: 1\r\n\r\n",
        );
        assert_eq!(
            head.metadata.get_all("x-a").iter().collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert_eq!(head.trailers["x-b-bin"], "q6s");
        assert_eq!(
            (head.metadata.len(), head.trailers.len(), head.left_out),
            (2, 1, 2)
        );
    }

    #[test]
    fn a_trailers_frame_says_the_status() {
        let block =
            b"grpc-status: 9\r\ngrpc-message: no%0A\r\nx-a: 1\r\nx-a: 2\r\nx-b-bin: qw==\r\n";
        let Trailers {
            status,
            metadata: trailers,
            ..
        } = parse_trailers(block).unwrap();
        assert_eq!(
            status,
            Status {
                message: "no\n".into(),
                ..Status::new(Code::FailedPrecondition, "")
            }
        );
        assert_eq!(
            (trailers.len(), &trailers["x-b-bin"]),
            (3, &HeaderValue::from_static("qw"))
        );
        assert_eq!(
            parse_trailers(b"x-a: 1\r\n").unwrap_err(),
            ResponseError::NoStatus
        );
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert_eq!(
            decode(b"PHP Warning without a colon\r\n\r\n").unwrap_err(),
            ResponseError::Malformed
        );
        assert_eq!(
            decode(b"Status: OK\r\n\r\n").unwrap_err(),
            ResponseError::Malformed
        );
    }

    #[test]
    fn longer_trailers_are_refused() {
        let field = b"grpc-status: 0\r\nx: ";
        let block = [&field[..], &vec![b'x'; MAX_HEAD_LENGTH - field.len()]].concat();
        assert!(parse_trailers(&block).is_ok());
        let error = parse_trailers(&[&block[..], b"x"].concat()).unwrap_err();
        assert_eq!(error, ResponseError::HeadTooLong);
    }
}
