//! Calls over HTTP/1.1: the bare message in the body, either way.

use anyhow::{bail, ensure};
use bytes::Bytes;
use grpc_fcgi_proxy::fastcgi::target::Target;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Call;

/// A connection with one call after the other.
pub(super) struct Unary {
    connection: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    answer: Bytes,
}

impl Unary {
    pub(super) async fn connect(address: &Target, call: &Call) -> anyhow::Result<Self> {
        let Target::Tcp(address) = address else {
            bail!("HTTP is spoken on TCP only");
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, work) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ends, its calls see.
        tokio::spawn(async move { work.await.ok() });
        let request = Request::post(call.path)
            .header(header::HOST, "bench")
            .header(header::CONTENT_TYPE, "application/grpc")
            .body(Full::new(call.message.clone()))?;
        Ok(Self {
            connection,
            request,
            answer: call.answer.clone(),
        })
    }

    /// One call; its status and its message must be right.
    pub(super) async fn call(&mut self) -> anyhow::Result<()> {
        self.connection.ready().await?;
        let response = self.connection.send_request(self.request.clone()).await?;
        ensure!(
            response.status() == StatusCode::OK,
            "HTTP status {}",
            response.status()
        );
        let status = response.headers().get("grpc-status");
        ensure!(
            status.is_none_or(|status| status == "0"),
            "grpc-status {status:?}"
        );
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(body == self.answer, "another message came back");
        Ok(())
    }
}
