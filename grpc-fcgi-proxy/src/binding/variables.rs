//! The CGI meta-variables of a call.
//!
//! RFC 3875, section 4.1, and what gRPC adds: GRPC_SERVICE, GRPC_METHOD, GRPC_CALL_KIND, GRPC_DEADLINE,
//! GRPC_METADATA. No name of a variable ever comes from a client but behind `HTTP_`, so none can become PHP_VALUE.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use super::route::Script;
use crate::fastcgi::pair::{PairTooLong, Params};
use crate::fastcgi::record;
use grpc_wire::metadata;
use grpc_wire::method::{CallKind, Method};

/// Enough for BEGIN_REQUEST and the variables of a usual call, and for a small message behind them.
const USUAL_SIZE: usize = 2048;

/// What PHP finds on its input.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// One bare message.
    Message {
        /// Its length.
        length: usize,
        /// Whether it came compressed; it is not any more.
        compressed: bool,
    },
    /// Messages with their prefixes, as they come.
    Stream,
}

impl Input {
    /// php-fpm reads the whole body of a POST before it runs the script, and of no other method.
    const fn request_method(self) -> &'static [u8] {
        match self {
            Self::Message { .. } => b"POST",
            Self::Stream => b"GRPC",
        }
    }
}

/// Stands for a length that is not known: php-fpm lets a script read no more than CONTENT_LENGTH says.
const UNKNOWN_LENGTH: &[u8] = b"9223372036854775807";

/// What the variables say.
#[derive(Debug)]
pub struct Variables<'a> {
    /// What to run.
    pub script: &'a Script,
    /// What kind of call it is.
    pub kind: CallKind,
    /// What is called.
    pub method: Method<'a>,
    /// Where the client called it.
    pub authority: &'a str,
    /// What the client sent besides the message.
    pub headers: &'a HeaderMap,
    /// What is on STDIN.
    pub input: Input,
    /// Whether the connection is to stay open behind the answer.
    pub keep_connection: bool,
    /// How much longer the client waits.
    pub time_left: Option<Duration>,
    /// The client's side of the connection.
    pub peer: SocketAddr,
    /// The proxy's side of it.
    pub local: SocketAddr,
}

/// Encodes BEGIN_REQUEST and the whole PARAMS stream.
///
/// # Errors
///
/// If a variable does not fit in a record.
pub fn encode(variables: &Variables<'_>) -> Result<Vec<u8>, PairTooLong> {
    let mut out = Vec::with_capacity(USUAL_SIZE);
    record::encode_begin_request(variables.keep_connection, &mut out);
    let mut params = Params::begin(out);
    push_request(&mut params, variables)?;
    push_call(&mut params, variables)?;
    push_headers(&mut params, variables)?;
    Ok(params.end())
}

fn push_request(params: &mut Params, variables: &Variables<'_>) -> Result<(), PairTooLong> {
    let path = variables.method.path.as_bytes();
    let content_type = variables.headers.get(http::header::CONTENT_TYPE);
    params.push("GATEWAY_INTERFACE", b"CGI/1.1")?;
    params.push(
        "SERVER_SOFTWARE",
        concat!("grpc-fcgi-proxy/", env!("CARGO_PKG_VERSION")).as_bytes(),
    )?;
    params.push("SERVER_PROTOCOL", b"HTTP/2.0")?;
    params.push("SERVER_NAME", host(variables.authority).as_bytes())?;
    params.push("SERVER_ADDR", variables.local.ip().to_string().as_bytes())?;
    params.push("SERVER_PORT", variables.local.port().to_string().as_bytes())?;
    params.push("REMOTE_ADDR", variables.peer.ip().to_string().as_bytes())?;
    params.push("REMOTE_PORT", variables.peer.port().to_string().as_bytes())?;
    params.push("REQUEST_METHOD", variables.input.request_method())?;
    params.push("REQUEST_URI", path)?;
    params.push("SCRIPT_NAME", path)?;
    params.push("SCRIPT_FILENAME", variables.script.filename.as_bytes())?;
    params.push("DOCUMENT_ROOT", variables.script.document_root.as_bytes())?;
    params.push("QUERY_STRING", b"")?;
    params.push(
        "CONTENT_TYPE",
        content_type.map_or(b"application/grpc", |value| value.as_bytes()),
    )?;
    match variables.input {
        Input::Message { length, .. } => {
            params.push("CONTENT_LENGTH", length.to_string().as_bytes())?
        }
        Input::Stream => params.push("CONTENT_LENGTH", UNKNOWN_LENGTH)?,
    }
    params.push("HTTP_HOST", variables.authority.as_bytes())
}

fn push_call(params: &mut Params, variables: &Variables<'_>) -> Result<(), PairTooLong> {
    params.push("GRPC_SERVICE", variables.method.service.as_bytes())?;
    params.push("GRPC_METHOD", variables.method.name.as_bytes())?;
    params.push("GRPC_CALL_KIND", variables.kind.name().as_bytes())?;
    if let Input::Message { compressed, .. } = variables.input {
        params.push(
            "GRPC_MESSAGE_COMPRESSED",
            if compressed { b"1" } else { b"0" },
        )?;
    }
    if let Some(left) = variables.time_left {
        let deadline = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_add(left);
        params.push("GRPC_DEADLINE", deadline.as_micros().to_string().as_bytes())?;
    }
    params.push("GRPC_METADATA", &metadata_list(variables.headers))
}

/// Every metadata entry on a line of its own, `key: value`. No value can contain the end of a line.
fn metadata_list(headers: &HeaderMap) -> Vec<u8> {
    let mut list = Vec::with_capacity(256);
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| metadata::is_metadata(name.as_str()))
    {
        for part in metadata::values(name.as_str(), value.as_bytes()) {
            list.extend_from_slice(name.as_str().as_bytes());
            list.extend_from_slice(b": ");
            list.extend_from_slice(part);
            list.push(b'\n');
        }
    }
    list
}

/// RFC 3875, section 4.1.18. Several values of a key are joined, as RFC 9110, section 5.3 has it.
fn push_headers(params: &mut Params, variables: &Variables<'_>) -> Result<(), PairTooLong> {
    let mut variable = Vec::with_capacity(64);
    // The values of a key follow each other.
    let mut fields = variables.headers.iter().peekable();
    while let Some((name, value)) = fields.next() {
        let mut value = Cow::Borrowed(value.as_bytes());
        while let Some((_, next)) = fields.next_if(|(next, _)| *next == name) {
            let joined = value.to_mut();
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(next.as_bytes());
        }
        if becomes_variable(name.as_str()) {
            write_variable(name.as_str(), &mut variable);
            params.push(&variable, &value)?;
        }
    }
    Ok(())
}

fn write_variable(name: &str, variable: &mut Vec<u8>) {
    variable.clear();
    variable.extend_from_slice(b"HTTP_");
    variable.extend_from_slice(name.as_bytes());
    for byte in &mut variable["HTTP_".len()..] {
        *byte = match *byte {
            b'-' => b'_',
            byte => byte.to_ascii_uppercase(),
        };
    }
}

/// A key with `_` or `.` could forge another one: `a_b` and `a-b` are both HTTP_A_B. HTTP_PROXY would change what
/// the application's own HTTP clients do (httpoxy). HTTP_HOST is the authority.
fn becomes_variable(name: &str) -> bool {
    !matches!(name, "host" | "proxy")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The host of an authority: without the port, and without the brackets of an IPv6 address.
fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use http::HeaderName;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            );
        }
        headers
    }

    fn encoded(headers: &HeaderMap) -> String {
        let script = Script::new(Path::new("/app/index.php"));
        let variables = Variables {
            script: &script,
            method: Method::parse("/item.ItemService/GetItem").unwrap(),
            authority: "[::1]:8080",
            headers,
            input: Input::Message {
                length: 7,
                compressed: false,
            },
            keep_connection: false,
            kind: CallKind::Unary,
            time_left: None,
            peer: "127.0.0.1:4711".parse().unwrap(),
            local: "127.0.0.1:8080".parse().unwrap(),
        };
        String::from_utf8_lossy(&encode(&variables).unwrap()).into_owned()
    }

    #[test]
    fn the_predecessors_variables_are_all_there() {
        let text = encoded(&headers(&[("content-type", "application/grpc+proto")]));
        for pair in [
            "REQUEST_METHODPOST",
            "REQUEST_URI/item.ItemService/GetItem",
            "SCRIPT_NAME/item.ItemService/GetItem",
            "SCRIPT_FILENAME/app/index.php",
            "DOCUMENT_ROOT/app",
            "SERVER_PROTOCOLHTTP/2.0",
            "GATEWAY_INTERFACECGI/1.1",
            "CONTENT_TYPEapplication/grpc+proto",
            "CONTENT_LENGTH7",
            "HTTP_HOST[::1]:8080",
            "SERVER_NAME::1",
        ] {
            assert!(text.contains(pair), "{pair} is not in {text:?}");
        }
        assert!(!text.contains("GRPC_DEADLINE"));
    }

    /// In the predecessor only the first value of a key survived.
    #[test]
    fn every_value_of_a_key_arrives_in_order() {
        let headers = headers(&[("x-a", "1"), ("x-b-bin", "AA==,AQ"), ("x-a", "2, 3")]);
        assert_eq!(
            metadata_list(&headers),
            b"x-a: 1\nx-a: 2, 3\nx-b-bin: AA==\nx-b-bin: AQ\n"
        );
        assert!(encoded(&headers).contains("HTTP_X_A1, 2, 3"));
    }

    #[test]
    fn no_client_can_forge_a_variable() {
        let headers = headers(&[
            ("proxy", "evil"),
            ("x_a", "forged"),
            ("x.b", "dot"),
            ("php-value", "a=b"),
        ]);
        let text = encoded(&headers);
        for name in [
            "HTTP_PROXY",
            "HTTP_X_A",
            "HTTP_X.B",
            "HTTP_X_B",
            "\tPHP_VALUE",
        ] {
            assert!(!text.contains(name), "{name}");
        }
        assert!(text.contains("HTTP_PHP_VALUEa=b"));
        assert!(text.contains("x_a: forged\nx.b: dot\n"));
    }
}
