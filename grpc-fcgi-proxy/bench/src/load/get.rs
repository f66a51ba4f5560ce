//! Requests over HTTP/1.1, without a check of the response.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection for one request after the other.
pub(crate) struct Getter(SendRequest<Empty<Bytes>>);

impl Getter {
    /// Connects to HOST:PORT.
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // Its requests see how it ends.
        tokio::spawn(async move { driver.await.ok() });
        Ok(Self(connection))
    }

    /// Returns the status and the body.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<(u16, Bytes)> {
        self.0.ready().await?;
        let request = Request::get(path)
            .header(header::HOST, "bench")
            .body(Empty::new())?;
        let response = self.0.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}
