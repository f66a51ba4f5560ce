//! TLS on the gRPC listener, for use without a proxy such as Envoy in front: the files in use, and their renewal.

mod client;
mod files;
mod renewal;
mod validity;

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(super) use self::client::variables;
use self::files::{LoadedTls, TlsFiles};
pub(crate) use self::renewal::Renewal;
pub(crate) use self::validity::Validity;
use crate::config::TlsFlags;

/// TLS with the files that are in use.
pub(crate) struct Tls {
    files: TlsFiles,
    loaded: watch::Sender<LoadedTls>,
}

impl Tls {
    /// Reads the files; `None` without TLS.
    pub(crate) fn read(flags: &TlsFlags, http1: bool) -> anyhow::Result<Option<Self>> {
        let Some(files) = TlsFiles::new(flags, http1) else {
            return Ok(None);
        };
        let loaded = files.load(&files.read()?)?;
        Ok(Some(Self {
            files,
            loaded: watch::Sender::new(loaded),
        }))
    }

    /// For a new connection. Open ones keep what they have begun with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.loaded.borrow().acceptor.clone()
    }

    /// Of the certificate in use.
    pub(crate) fn validity(&self) -> Validity {
        self.loaded.borrow().validity
    }
}
