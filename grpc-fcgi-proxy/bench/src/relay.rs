//! Passes bytes on and does nothing else: the cost of any process between client and application.

use std::net::SocketAddr;

use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

use crate::load::connect;

/// Of each direction of a connection.
const BUFFER_SIZE: usize = 128 * 1024;

/// Relays until the process ends.
pub(crate) async fn run(listen: SocketAddr, application: &Address) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let application = application.clone();
        // The client reports a connection that breaks.
        tokio::spawn(async move { relay(client, &application).await.ok() });
    }
}

async fn relay(mut client: TcpStream, application: &Address) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let mut application = connect(application).await?;
    copy_bidirectional_with_sizes(&mut client, &mut application, BUFFER_SIZE, BUFFER_SIZE).await?;
    Ok(())
}
