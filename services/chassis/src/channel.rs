//! Addresses of a service's peers, and connections to them.

use std::{fmt, str::FromStr, time::Duration};

use http::{Uri, uri::Authority};
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of header and trailers in a response, including the details of a status.
const MAX_HEADERS: u32 = 64 * 1024;
/// Together, these detect a peer that vanished without closing its connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a gRPC server without TLS, which is the mesh's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer(Uri);

impl Peer {
    /// Returns a channel that connects on first use, and reconnects as needed.
    pub fn channel(&self) -> Channel {
        self.endpoint().connect_lazy()
    }

    /// Returns the same with requests that name another authority, by which an Envoy at the address routes them.
    pub fn channel_to(&self, authority: Authority) -> Channel {
        let mut origin = self.0.clone().into_parts();
        origin.authority = Some(authority);
        let endpoint = self.endpoint();
        // A URI with all of its parts is always valid.
        match Uri::from_parts(origin) {
            Ok(origin) => endpoint.origin(origin).connect_lazy(),
            Err(_) => endpoint.connect_lazy(),
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from(self.0.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .http2_max_header_list_size(MAX_HEADERS)
            .tcp_nodelay(true)
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected =
            || "expected HOST:PORT or http://HOST:PORT, such as 127.0.0.1:7070".to_owned();
        let authority = text.strip_prefix("http://").unwrap_or(text);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let uri: Uri = format!("http://{authority}")
            .parse()
            .map_err(|_| expected())?;
        let is_plain =
            uri.path() == "/" && uri.query().is_none() && !authority.contains(['/', '@']);
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        let has_port = uri.port_u16().is_some_and(|port| port != 0);
        if is_plain && has_host && has_port {
            Ok(Self(uri))
        } else {
            Err(expected())
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_optional() {
        for (text, expected) in [
            ("127.0.0.1:7070", "http://127.0.0.1:7070/"),
            ("http://127.0.0.1:7070", "http://127.0.0.1:7070/"),
            ("http://envoy:80/", "http://envoy:80/"),
            ("[::1]:7070", "http://[::1]:7070/"),
        ] {
            assert_eq!(text.parse::<Peer>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "envoy",
            ":7070",
            "https://envoy:7070",
            "http://envoy",
            "envoy:0",
            "envoy:70700",
            "envoy:7070/path",
            "envoy:7070?x=1",
            "me:secret@envoy:7070",
            "a b:1",
        ] {
            let error = text.parse::<Peer>().expect_err(text);
            assert!(error.contains("127.0.0.1:7070"), "{text}: {error}");
        }
    }
}
