//! What `--fastcgi` names: the socket or the address of a php-fpm, or a name with any number of addresses.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::target::Target;
use crate::lookup::lookup;

/// One or more targets by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `host:port`. Each address of the host is a target.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// Looks up the targets.
    ///
    /// # Errors
    ///
    /// If the name has no address, or the lookup fails.
    pub async fn look_up(&self) -> io::Result<Vec<Target>> {
        match self.known() {
            Ok(target) => Ok(vec![target]),
            Err(name) => {
                let addresses = lookup(name.to_owned()).await?;
                Ok(addresses.into_iter().map(Target::Tcp).collect())
            }
        }
    }

    /// The target if it needs no lookup, else the name to look up.
    pub(super) fn known(&self) -> Result<Target, &str> {
        match self {
            Self::Unix(path) => Ok(Target::Unix(path.clone())),
            Self::Tcp(address) => match address.parse::<SocketAddr>() {
                Ok(address) => Ok(Target::Tcp(address)),
                Err(_) => Err(address),
            },
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}
