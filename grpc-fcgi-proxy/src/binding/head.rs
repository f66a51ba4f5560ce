//! The header fields of an answer, and its trailers frame: they become the call's status and metadata.
//!
//! RFC 3875, section 6: header fields, a blank line, a body.

use http::{HeaderMap, HeaderValue};

use grpc_wire::encoding::{Encoding, NamedEncoding};
use grpc_wire::metadata;
use grpc_wire::status::{self, Code, Status};

use super::body::BodyFields;
use super::dropped::DroppedFields;
use super::load_report::{OrcaLoadReport, SERVER_REPORT, decode_server_field};

/// The limit on the header fields in bytes, and on a trailers frame.
pub const MAX_HEAD_LENGTH: usize = 64 * 1024;
/// Marks trailing metadata among the header fields.
const TRAILER_PREFIX: &str = "grpc-trailer-";

/// The script's output is not a valid CGI response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The header fields, or the trailers frame, exceed the limit.
    #[error("the application's header fields exceed {MAX_HEAD_LENGTH} bytes")]
    HeadTooLong,
    /// The output ended before the blank line.
    #[error("the application's answer ended before its header fields did")]
    NoEndOfHead,
    /// The trailers frame has no grpc-status.
    #[error("the application's trailers have no grpc-status")]
    NoStatus,
    /// The body is not what the script has printed, although it should be a message.
    #[error(
        "the application's answer has Content-Encoding, Transfer-Encoding or Content-Range, so its body is not the \
         message: zlib.output_compression or ob_gzhandler may be on"
    )]
    Transformed,
    /// A line has no colon, or the Status is not a number.
    #[error("the application's answer has a malformed header field")]
    Malformed,
}

/// The decoded header fields.
#[derive(Debug)]
pub struct Head {
    /// The status of the call, if `Grpc-Status` or an HTTP status other than 200 states one.
    pub status: Option<Status>,
    /// The encoding that the script asks for.
    pub encoding: Option<Encoding>,
    /// Initial metadata.
    pub metadata: HeaderMap,
    /// Trailing metadata, without the status.
    pub trailers: HeaderMap,
    /// What the script reports on the load of the whole server.
    pub(crate) server_load: Option<Box<OrcaLoadReport>>,
    /// Whether the connection must not be kept: the worker stays busy after the answer.
    pub close: bool,
    /// Fields that gRPC cannot carry.
    pub dropped: DroppedFields,
    /// The fields that describe the body.
    pub body: BodyFields,
}

/// The decoded trailers frame.
#[derive(Debug)]
pub struct Trailers {
    /// The status of the call.
    pub status: Status,
    /// Trailing metadata.
    pub metadata: HeaderMap,
    /// What the script reports on the load of the whole server.
    pub(crate) server_load: Option<Box<OrcaLoadReport>>,
    /// Fields that gRPC cannot carry.
    pub dropped: DroppedFields,
}

pub(super) fn parse(head: &[u8]) -> Result<Head, HeadError> {
    let mut fields = Fields::default();
    fields.add_lines(head)?;
    let head = fields.into_head();
    // An error page is discarded, whatever its form.
    let code = head.status.as_ref().map_or(Code::Ok, |status| status.code);
    if head.body.is_transformed && code == Code::Ok {
        return Err(HeadError::Transformed);
    }
    Ok(head)
}

#[derive(Default)]
struct Fields {
    http_status: Option<u16>,
    code: Option<Code>,
    message: String,
    details: Option<HeaderValue>,
    retry_pushback: Option<HeaderValue>,
    encoding: Option<Encoding>,
    metadata: HeaderMap,
    trailers: HeaderMap,
    server_load: Option<Box<OrcaLoadReport>>,
    close: bool,
    dropped: DroppedFields,
    body: BodyFields,
}

impl Fields {
    fn add_lines(&mut self, lines: &[u8]) -> Result<(), HeadError> {
        for line in lines.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                let colon = line
                    .iter()
                    .position(|byte| *byte == b':')
                    .ok_or(HeadError::Malformed)?;
                self.add(&line[..colon], line[colon + 1..].trim_ascii())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match name.as_str() {
            "status" => self.http_status = Some(http_status(value)?),
            "grpc-status" => self.code = Some(status::decode_code(value)),
            // An unknown encoding cannot be used: the answer is sent uncompressed.
            "grpc-encoding" => self.encoding = NamedEncoding::read(Some(value)).known(),
            "grpc-message" => self.message = status::decode_message(value),
            "grpc-status-details-bin" => match metadata::normalize_base64(value) {
                Ok(details) => self.details = Some(details),
                Err(_) => self.dropped.add(&name),
            },
            SERVER_REPORT => match decode_server_field(value) {
                Ok(report) => self.server_load = Some(report),
                Err(_) => self.dropped.add(&name),
            },
            "connection" if value.eq_ignore_ascii_case(b"close") => self.close = true,
            "grpc-retry-pushback-ms" | "grpc-trailer-grpc-retry-pushback-ms" => {
                match metadata::ascii(value) {
                    Ok(value) => self.retry_pushback = Some(value),
                    Err(_) => self.dropped.add(&name),
                }
            }
            name if self.body.add(name, value) => {}
            _ => {
                let added = match name.strip_prefix(TRAILER_PREFIX) {
                    Some(key) => metadata::append(&mut self.trailers, key, value),
                    None => metadata::append(&mut self.metadata, &name, value),
                };
                if added.is_err() {
                    self.dropped.add(&name);
                }
            }
        }
        Ok(())
    }

    fn into_head(mut self) -> Head {
        if let Some(value) = self.retry_pushback {
            self.trailers.insert(metadata::RETRY_PUSHBACK, value);
        }
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
            server_load: self.server_load,
            close: self.close,
            dropped: self.dropped,
            body: self.body,
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

/// Parses the content of a trailers frame.
///
/// # Errors
///
/// If it is malformed, exceeds [`MAX_HEAD_LENGTH`], or has no status.
pub fn parse_trailers(block: &[u8]) -> Result<Trailers, HeadError> {
    if block.len() > MAX_HEAD_LENGTH {
        return Err(HeadError::HeadTooLong);
    }
    let mut fields = Fields::default();
    fields.add_lines(block)?;
    let code = fields.code.ok_or(HeadError::NoStatus)?;
    if let Some(value) = fields.retry_pushback {
        fields.metadata.insert(metadata::RETRY_PUSHBACK, value);
    }
    let status = Status {
        code,
        message: fields.message.into(),
        details: fields.details,
    };
    Ok(Trailers {
        status,
        metadata: fields.metadata,
        server_load: fields.server_load,
        dropped: fields.dropped,
    })
}

/// `Status: 404 Not Found`.
fn http_status(value: &[u8]) -> Result<u16, HeadError> {
    let digits = value.first_chunk::<3>().ok_or(HeadError::Malformed)?;
    let text = str::from_utf8(digits).map_err(|_| HeadError::Malformed)?;
    text.parse().map_err(|_| HeadError::Malformed)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::binding::head_decoder::HeadDecoder;

    fn decode(bytes: &'static [u8]) -> Result<Option<(Head, Bytes)>, HeadError> {
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
    fn a_prefix_separates_trailing_metadata() {
        let head = head(
            b"X-A: 1\r\nx-a: 2\r\nGrpc-Trailer-X-B-Bin: q6s=\r\nX-Bad: \x01\r\nGrpc-Odd: 1\r\n\r\n",
        );
        assert_eq!(
            head.metadata.get_all("x-a").iter().collect::<Vec<_>>(),
            ["1", "2"]
        );
        assert_eq!(head.trailers["x-b-bin"], "q6s");
        assert_eq!((head.metadata.len(), head.trailers.len()), (2, 1));
        assert_eq!(head.dropped.to_string(), "x-bad, grpc-odd");
    }

    #[test]
    fn fields_that_describe_the_body_are_not_metadata() {
        let described = head(b"Content-Type: application/grpc+proto\r\nContent-Length: 12\r\n\r\n");
        assert!(described.metadata.is_empty() && described.body.is_grpc);
        assert_eq!(described.body.length, Some(12));
        let described = head(b"Content-Type: text/html\r\nContent-Length: none\r\n\r\n");
        assert!(!described.body.is_grpc && described.body.length.is_none());
        let head = head(b"Content-Encoding: identity\r\n\r\n");
        assert!(head.metadata.is_empty());
    }

    #[test]
    fn a_body_that_is_not_what_the_script_printed_is_refused() {
        for answer in [
            &b"Content-Encoding: gzip\r\n\r\n"[..],
            b"Content-Encoding: br\r\nGrpc-Status: 0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"Content-Range: bytes 0-9/20\r\n\r\n",
        ] {
            assert_eq!(decode(answer).unwrap_err(), HeadError::Transformed);
        }
        let failed = head(b"Content-Encoding: gzip\r\nGrpc-Status: 5\r\n\r\n");
        assert_eq!(failed.status, Some(Status::new(Code::NotFound, "")));
        assert!(failed.metadata.is_empty());
    }

    #[test]
    fn a_trailers_frame_has_the_status() {
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
            HeadError::NoStatus
        );
    }

    #[test]
    fn a_retry_pushback_belongs_to_the_trailers_however_the_script_names_it() {
        for answer in [
            &b"Grpc-Retry-Pushback-Ms: 100\r\n\r\n"[..],
            b"Grpc-Trailer-Grpc-Retry-Pushback-Ms: 100\r\n\r\n",
        ] {
            let head = head(answer);
            assert_eq!(head.trailers["grpc-retry-pushback-ms"], "100");
            assert!(head.metadata.is_empty() && head.dropped.is_empty());
        }
        let trailers =
            parse_trailers(b"grpc-status: 14\r\ngrpc-retry-pushback-ms: -1\r\n").unwrap();
        assert_eq!(trailers.metadata["grpc-retry-pushback-ms"], "-1");
    }

    #[test]
    fn a_script_says_that_its_connection_must_not_be_kept() {
        assert!(!head(b"Grpc-Status: 0\r\n\r\n").close);
        let close = head(b"Connection: Close\r\n\r\n");
        assert!(close.close && close.metadata.is_empty() && close.dropped.is_empty());
        let other = head(b"Connection: keep-alive\r\n\r\n");
        assert!(!other.close && !other.dropped.is_empty());
    }

    #[test]
    fn malformed_header_fields_are_refused() {
        assert_eq!(
            decode(b"PHP Warning without a colon\r\n\r\n").unwrap_err(),
            HeadError::Malformed
        );
        assert_eq!(
            decode(b"Status: OK\r\n\r\n").unwrap_err(),
            HeadError::Malformed
        );
    }

    #[test]
    fn trailers_over_the_limit_are_refused() {
        let field = b"grpc-status: 0\r\nx: ";
        let block = [&field[..], &vec![b'x'; MAX_HEAD_LENGTH - field.len()]].concat();
        assert!(parse_trailers(&block).is_ok());
        let error = parse_trailers(&[&block[..], b"x"].concat()).unwrap_err();
        assert_eq!(error, HeadError::HeadTooLong);
    }
}
