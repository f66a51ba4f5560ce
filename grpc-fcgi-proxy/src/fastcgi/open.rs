//! An open socket to php-fpm, counted while it is open.

use std::io;

use super::socket::Socket;
use crate::metrics::increment::Increment;
use crate::metrics::pool::PoolMetrics;

#[derive(Debug)]
pub(super) struct Open {
    pub(super) socket: Socket,
    _open: Increment,
}

impl Open {
    pub(super) fn new(socket: Socket, metrics: &PoolMetrics) -> Self {
        Self {
            socket,
            _open: Increment::new(&metrics.connections),
        }
    }

    /// Registers the socket with the current thread's runtime.
    pub(super) fn moved_here(self) -> io::Result<Self> {
        let socket = self.socket.moved_here()?;
        Ok(Self { socket, ..self })
    }
}
