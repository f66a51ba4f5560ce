//! The limits on connections, from the flags.

use std::time::Duration;

use crate::config::{ClientFlags, Config};

/// HTTP/2 itself refuses only header lists that exceed the limit by far, so that those slightly over it get a gRPC
/// status.
const HEADER_LIST_MARGIN: usize = 64 * 1024;

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
}
