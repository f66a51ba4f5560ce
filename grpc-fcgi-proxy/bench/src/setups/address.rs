//! Addresses to listen on, and whether something listens there.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;

/// A port that was free a moment ago: nginx, Envoy and php-fpm cannot report the port that they have bound.
pub(super) fn free_address() -> anyhow::Result<Address> {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    Ok(Address::Tcp(free.to_string()))
}

/// Removes the socket that an earlier application has left behind.
pub(super) fn free_path(path: PathBuf) -> std::io::Result<PathBuf> {
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}

/// Whether something listens there.
pub(super) fn accepts(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => TcpStream::connect(address).is_ok(),
        Address::Unix(path) => UnixStream::connect(path).is_ok(),
    }
}
