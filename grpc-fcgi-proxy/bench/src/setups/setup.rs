//! A setup, and its name.

/// The server between the client and the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intermediary {
    Proxy,
    EnvoyNginx,
    /// Envoy, which translates JSON to gRPC, and the proxy.
    Transcoder,
    Nginx,
    /// None: the load speaks FastCGI itself.
    Direct,
    /// Passes bytes on, and is no proxy.
    Relay,
    /// A tonic server, which is the application too.
    Tonic,
}

/// What carries a call to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A new FastCGI connection for each call.
    New,
    /// A kept FastCGI connection.
    Kept,
    /// The connection of a resident worker.
    Resident,
    /// The same, with PHP's just-in-time compiler.
    ResidentJit,
}

impl Transport {
    pub(crate) fn is_resident(self) -> bool {
        matches!(self, Self::Resident | Self::ResidentJit)
    }
}

/// How a call reaches the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) intermediary: Intermediary,
    pub(crate) transport: Transport,
    /// A Unix socket, instead of TCP.
    pub(crate) unix: bool,
    /// Whether the proxy serves the other protocols too.
    pub(crate) front_ends: bool,
}

impl Setup {
    pub(crate) const fn new(intermediary: Intermediary, transport: Transport, unix: bool) -> Self {
        Self {
            intermediary,
            transport,
            unix,
            front_ends: false,
        }
    }

    /// With the proxy's other protocols.
    pub(crate) const fn with_front_ends(self) -> Self {
        Self {
            front_ends: true,
            ..self
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
                    let transports = [Transport::New, Transport::Kept];
                    setups.extend(transports.map(|each| Self::new(intermediary, each, unix)));
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
            Intermediary::Transcoder => "Envoy's transcoder + grpc-fcgi-proxy",
            Intermediary::Nginx => "nginx, HTTP/1.1",
            Intermediary::Direct => "direct FastCGI",
            Intermediary::Relay => "relay of bytes, no gRPC",
            Intermediary::Tonic => "tonic, no FastCGI",
        };
        let transport = match self.transport {
            Transport::New => "",
            Transport::Kept => ", kept",
            Transport::Resident => ", resident",
            Transport::ResidentJit => ", resident with JIT",
        };
        let unix = if self.unix { ", Unix socket" } else { "" };
        let front_ends = if self.front_ends {
            ", front ends on"
        } else {
            ""
        };
        format!("{intermediary}{transport}{unix}{front_ends}")
    }
}
