//! Calls by GET, whose message is in the query, so that caches can answer them:
//! <https://connectrpc.com/docs/protocol/#unary-get-request>.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use futures_util::stream::once;
use grpc_wire::status::Code;
use http::{HeaderValue, Method, Request, Uri, header};
use percent_encoding::percent_decode_str;

use super::error::ConnectError;
use crate::call::{CallError, RequestBody};
use crate::server::front_ends::codec;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The query of a call.
pub(super) struct Query {
    pub(super) json: bool,
    message: Bytes,
    compression: Option<HeaderValue>,
}

/// The names and values of the query. A value may be any bytes.
fn parameters(uri: &Uri) -> impl Iterator<Item = (&str, Vec<u8>)> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name, percent_decode_str(&value.replace('+', " ")).collect())
    })
}

/// Whether a GET is a call.
pub(super) fn is_call(uri: &Uri) -> bool {
    let has = |wanted: &str| parameters(uri).any(|(name, _)| name == wanted);
    has("message") && has("encoding")
}

impl Query {
    pub(super) fn read(uri: &Uri) -> Result<Self, ConnectError> {
        let value = |wanted: &str| {
            let mut found = parameters(uri).filter(|(name, _)| *name == wanted);
            found.next().map(|(_, value)| value)
        };
        let invalid = |text| ConnectError::new(Code::InvalidArgument, text);
        if value("connect").is_some_and(|version| version != b"v1") {
            return Err(invalid("connect in the query is not v1"));
        }
        let json = match value("encoding").as_deref() {
            Some(b"json") => true,
            Some(b"proto") => false,
            _ => {
                return Err(ConnectError::new(
                    Code::Unimplemented,
                    "encoding in the query is neither proto nor json",
                ));
            }
        };
        let message = value("message").unwrap_or_default();
        let message = match value("base64").as_deref() {
            Some(b"1") => BASE64
                .decode(message)
                .map_err(|_| invalid("message in the query is not base64"))?,
            _ => message,
        };
        let compression = value("compression").map(|name| HeaderValue::from_bytes(&name));
        let compression = compression
            .transpose()
            .map_err(|_| invalid("compression in the query is malformed"))?;
        Ok(Self {
            json,
            message: message.into(),
            compression,
        })
    }

    /// The same call by POST.
    pub(super) fn into_post(self, request: Request<RequestBody>) -> Request<RequestBody> {
        let (mut head, _) = request.into_parts();
        head.method = Method::POST;
        let path = head.uri.path().to_owned();
        codec::set_path(&mut head.uri, &path);
        if let Some(compression) = self.compression {
            head.headers.insert(header::CONTENT_ENCODING, compression);
        }
        let message = async move { Ok::<_, CallError>(self.message) };
        Request::from_parts(head, RequestBody::translated(once(message)))
    }
}
