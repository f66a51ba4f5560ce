//! Passes bytes on and does nothing else: what any process between client and application costs, whatever it does.

use std::net::SocketAddr;

use grpc_fcgi_proxy::fastcgi::target::Target;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, Instant};

/// Of each of the two buffers of a connection.
const BUFFER: usize = 128 * 1024;
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Relays until it is ended.
pub(crate) async fn run(listen: SocketAddr, target: &Target) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let target = target.clone();
        // A connection that breaks is its client's affair.
        tokio::spawn(async move { relay(client, &target).await.ok() });
    }
}

async fn relay(mut client: TcpStream, target: &Target) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let mut application = target.connect(Instant::now() + CONNECT_TIME).await?;
    copy_bidirectional_with_sizes(&mut client, &mut application, BUFFER, BUFFER).await?;
    Ok(())
}
