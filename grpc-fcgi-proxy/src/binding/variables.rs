//! The CGI meta-variables of every script: of calls, of auxiliary paths, and of `check`.
//!
//! RFC 3875, section 4.1, and what gRPC adds: GRPC_SERVICE, GRPC_METHOD, GRPC_CALL_KIND, GRPC_CLIENT_PROTOCOL,
//! GRPC_CLIENT_CODEC, GRPC_DEADLINE, GRPC_METADATA, GRPC_MESSAGE_COMPRESSED. A client chooses a variable's name only behind `HTTP_`, so none can become PHP_VALUE.

#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use grpc_wire::method::{CallKind, Method};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::dialect::Dialect;
use super::fields::{metadata_list, write_fields};
use super::route::Script;
use super::sink::Sink;
use super::tls_variables::TlsVariables;

/// Stands for an unknown length: php-fpm lets a script read no more than CONTENT_LENGTH bytes.
const UNKNOWN_LENGTH: u64 = i64::MAX as u64;

/// PHP compresses its output where it sees this field (zlib.output_compression, ob_gzhandler). The output of a call is a
/// message, not a page.
const INVITATIONS: [HeaderName; 1] = [header::ACCEPT_ENCODING];

const SOFTWARE: &str = concat!("grpc-fcgi-proxy/", env!("CARGO_PKG_VERSION"));

/// The script's input.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// One bare message.
    Message {
        /// Its length in bytes.
        length: usize,
        /// Whether the client sent it compressed. PHP reads it decompressed.
        compressed: bool,
    },
    /// Messages with their prefixes, as they arrive.
    Stream,
}

impl Input {
    /// php-fpm reads the whole body of a POST before it starts the script, and that of no other method.
    const fn request_method(self) -> &'static str {
        match self {
            Self::Message { .. } => "POST",
            Self::Stream => "GRPC",
        }
    }

    const fn content_length(self) -> u64 {
        match self {
            Self::Message { length, .. } => length as u64,
            Self::Stream => UNKNOWN_LENGTH,
        }
    }
}

/// One end of a client's connection, as text: formatted once for all calls of the connection.
#[derive(Clone, Debug)]
pub struct FormattedAddress {
    ip: String,
    port: String,
}

impl From<SocketAddr> for FormattedAddress {
    fn from(address: SocketAddr) -> Self {
        Self {
            ip: address.ip().to_string(),
            port: address.port().to_string(),
        }
    }
}

impl FormattedAddress {
    /// Without the port.
    pub(crate) fn ip(&self) -> &str {
        &self.ip
    }

    /// The port alone.
    pub(crate) fn port(&self) -> &str {
        &self.port
    }
}

impl fmt::Display for FormattedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ip.contains(':') {
            write!(f, "[{}]:{}", self.ip, self.port)
        } else {
            write!(f, "{}:{}", self.ip, self.port)
        }
    }
}

/// The values from which a call's variables are derived.
#[derive(Debug)]
pub struct Variables<'a> {
    /// The script to run.
    pub script: &'a Script,
    /// The kind of the call.
    pub kind: CallKind,
    /// The method that is called.
    pub method: Method<'a>,
    /// The authority that the client called.
    pub authority: &'a str,
    /// The header fields of the request.
    pub headers: &'a HeaderMap,
    /// The script's input.
    pub input: Input,
    /// How the client speaks.
    pub dialect: Dialect,
    /// The call's deadline, if it has one.
    pub deadline: Option<SystemTime>,
    /// The client's end of the connection, or the address that a trusted proxy names.
    pub peer: &'a FormattedAddress,
    /// The proxy's end of the connection.
    pub local: &'a FormattedAddress,
    /// What PHP sees of its TLS, if it has TLS.
    pub tls: Option<&'a TlsVariables>,
}

/// The values from which an ordinary HTTP request's variables are derived.
#[derive(Debug)]
pub(crate) struct PageVariables<'a> {
    pub(crate) script: &'a Script,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) content_length: usize,
}

impl Variables<'_> {
    /// Writes all variables.
    pub(crate) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let request = Request {
            script: self.script,
            method: self.input.request_method(),
            uri: self.method.path,
            path: self.method.path,
            query: "",
            protocol: "HTTP/2.0",
            content_type: Some(content_type.map_or(b"application/grpc", HeaderValue::as_bytes)),
            content_length: self.input.content_length(),
        };
        request.write(sink)?;
        self.write_ends(sink)?;
        if let Some(tls) = self.tls {
            tls.write(sink)?;
        }
        self.write_call(sink)?;
        sink.push(b"HTTP_HOST", self.authority.as_bytes())?;
        write_fields(self.headers, &INVITATIONS, sink)?;
        self.script.own.write(sink)
    }

    fn write_ends<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.push(b"SERVER_NAME", host(self.authority).as_bytes())?;
        sink.push(b"SERVER_ADDR", self.local.ip.as_bytes())?;
        sink.push(b"SERVER_PORT", self.local.port.as_bytes())?;
        sink.push(b"REMOTE_ADDR", self.peer.ip.as_bytes())?;
        sink.push(b"REMOTE_PORT", self.peer.port.as_bytes())
    }

    fn write_call<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.push(b"GRPC_SERVICE", self.method.service.as_bytes())?;
        sink.push(b"GRPC_METHOD", self.method.name.as_bytes())?;
        sink.push(b"GRPC_CALL_KIND", self.kind.name().as_bytes())?;
        let Dialect { protocol, codec } = self.dialect;
        sink.push(b"GRPC_CLIENT_PROTOCOL", protocol.name().as_bytes())?;
        sink.push(b"GRPC_CLIENT_CODEC", codec.name().as_bytes())?;
        if let Input::Message { compressed, .. } = self.input {
            let flag: &[u8] = if compressed { b"1" } else { b"0" };
            sink.push(b"GRPC_MESSAGE_COMPRESSED", flag)?;
        }
        if let Some(deadline) = self.deadline {
            let since_epoch = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
            let microseconds = since_epoch.as_micros().to_string();
            sink.push(b"GRPC_DEADLINE", microseconds.as_bytes())?;
        }
        sink.push(b"GRPC_METADATA", &metadata_list(self.headers))
    }
}

impl PageVariables<'_> {
    /// Writes all variables.
    pub(crate) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let uri = match self.query {
            "" => self.path.to_owned(),
            query => format!("{}?{query}", self.path),
        };
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let request = Request {
            script: self.script,
            method: self.method,
            uri: &uri,
            path: self.path,
            query: self.query,
            protocol: "HTTP/1.1",
            content_type: content_type.map(HeaderValue::as_bytes),
            content_length: self.content_length as u64,
        };
        request.write(sink)?;
        sink.push(b"DOCUMENT_URI", self.path.as_bytes())?;
        if let Some(host) = self.headers.get(header::HOST) {
            sink.push(b"HTTP_HOST", host.as_bytes())?;
        }
        write_fields(self.headers, &[], sink)?;
        self.script.own.write(sink)
    }
}

/// The variables that all requests to scripts have.
pub(super) struct Request<'a> {
    pub(super) script: &'a Script,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) protocol: &'a str,
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) content_length: u64,
}

impl Request<'_> {
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.push(b"GATEWAY_INTERFACE", b"CGI/1.1")?;
        sink.push(b"SERVER_SOFTWARE", SOFTWARE.as_bytes())?;
        sink.push(b"SERVER_PROTOCOL", self.protocol.as_bytes())?;
        sink.push(b"REQUEST_METHOD", self.method.as_bytes())?;
        sink.push(b"REQUEST_URI", self.uri.as_bytes())?;
        sink.push(b"SCRIPT_NAME", self.path.as_bytes())?;
        sink.push(b"SCRIPT_FILENAME", self.script.filename.as_bytes())?;
        sink.push(b"DOCUMENT_ROOT", self.script.document_root.as_bytes())?;
        sink.push(b"QUERY_STRING", self.query.as_bytes())?;
        if let Some(content_type) = self.content_type {
            sink.push(b"CONTENT_TYPE", content_type)?;
        }
        sink.push(
            b"CONTENT_LENGTH",
            self.content_length.to_string().as_bytes(),
        )
    }
}

/// The host of an authority: without the port, and without the brackets of an IPv6 address.
pub(crate) fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}
