//! The limits on connections, from the flags.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::config::{ClientFlags, Config};

/// HTTP/2 itself refuses only header lists that exceed the limit by far, so that those slightly over it get a gRPC
/// status.
const HEADER_LIST_MARGIN: usize = 64 * 1024;

/// How long TCP may wait: tcp(7).
const MAX_TCP_TIME: Duration = Duration::from_secs(32_767);
/// How often TCP asks a silent client before it gives up.
const TCP_PROBES: u32 = 4;

/// The limits of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerLimits {
    pub(super) clients: ClientFlags,
    pub(super) max_header_list_size: u32,
    /// How long running calls may take to end at shutdown.
    pub(super) drain_timeout: Duration,
}

impl ServerLimits {
    /// `--max-connections` may be more than there are file descriptors for.
    pub(crate) fn new(config: &Config, max_connections: usize) -> Self {
        let header_list = config.max_metadata_size + HEADER_LIST_MARGIN;
        Self {
            clients: ClientFlags {
                max_connections,
                ..config.clients
            },
            max_header_list_size: u32::try_from(header_list).unwrap_or(u32::MAX),
            drain_timeout: config.drain_timeout,
        }
    }

    /// Lets TCP find out that a client is gone without a word, since HTTP/1.1 has no PING: nothing else would end a call
    /// that has nothing to send.
    pub(super) fn keep_alive(&self, stream: &TcpStream) {
        let seconds = |time: Duration| time.clamp(Duration::from_secs(1), MAX_TCP_TIME);
        let keepalive = TcpKeepalive::new()
            .with_time(seconds(self.clients.keepalive_time))
            .with_interval(seconds(self.clients.keepalive_timeout / TCP_PROBES))
            .with_retries(TCP_PROBES);
        // Fails only if the connection has ended.
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}
