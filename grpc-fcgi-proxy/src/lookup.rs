//! Looks up the addresses of a name, as the system does: hosts file, then DNS.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use tokio::sync::oneshot;

/// The addresses of `host:port`, at least one, in random order: many proxies should not all prefer the same php-fpm.
///
/// tokio's lookup runs in a pool of threads that panics where the system refuses a thread, and that delays the exit of the
/// process for as long as DNS does not answer.
pub(crate) async fn lookup(address: String) -> io::Result<Vec<SocketAddr>> {
    let (sender, found) = oneshot::channel();
    thread::Builder::new()
        .name("lookup".to_owned())
        .spawn(move || {
            let found = address.to_socket_addrs().map(Vec::from_iter);
            // The caller may have gone.
            let _ = sender.send(found);
        })?;
    let mut found = found.await.map_err(io::Error::other)??;
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        ));
    }
    fastrand::shuffle(&mut found);
    Ok(found)
}
