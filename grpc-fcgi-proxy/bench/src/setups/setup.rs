//! A setup, and its name.

/// The server between the client and the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intermediary {
    Proxy,
    EnvoyNginx,
    Nginx,
    /// None: the load speaks FastCGI itself.
    Direct,
    /// Passes bytes on, and is no proxy.
    Relay,
    /// A tonic server, which is the application too.
    Tonic,
}

/// How a call reaches the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) intermediary: Intermediary,
    /// Kept FastCGI connections, instead of a new one for each call.
    pub(crate) kept: bool,
    /// A Unix socket, instead of TCP.
    pub(crate) unix: bool,
}

impl Setup {
    pub(crate) const fn new(intermediary: Intermediary, kept: bool, unix: bool) -> Self {
        Self {
            intermediary,
            kept,
            unix,
        }
    }

    /// The setups with FastCGI: new connections before kept ones; Unix sockets only if `unix` asks for them.
    pub(crate) fn with_fastcgi(unix: bool) -> Vec<Self> {
        let sockets = if unix { &[false, true][..] } else { &[false] };
        let mut setups = Vec::new();
        for intermediary in [
            Intermediary::Proxy,
            Intermediary::EnvoyNginx,
            Intermediary::Nginx,
            Intermediary::Direct,
        ] {
            for &unix in sockets {
                let compared = matches!(intermediary, Intermediary::Proxy | Intermediary::Direct);
                if compared || !unix {
                    setups.extend([false, true].map(|kept| Self::new(intermediary, kept, unix)));
                }
            }
        }
        setups
    }

    /// Its name in the tables.
    pub(crate) fn name(self) -> String {
        let intermediary = match self.intermediary {
            Intermediary::Proxy => "grpc-fcgi-proxy",
            Intermediary::EnvoyNginx => "Envoy + nginx",
            Intermediary::Nginx => "nginx, HTTP/1.1",
            Intermediary::Direct => "direct FastCGI",
            Intermediary::Relay => "relay of bytes, no gRPC",
            Intermediary::Tonic => "tonic, no FastCGI",
        };
        let kept = if self.kept { ", kept" } else { "" };
        let unix = if self.unix { ", Unix socket" } else { "" };
        format!("{intermediary}{kept}{unix}")
    }
}
