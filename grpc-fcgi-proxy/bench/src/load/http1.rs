//! Calls over HTTP/1.1, with the bare message in the body of request and response.

use anyhow::{bail, ensure};
use bytes::Bytes;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::call::CheckedCall;
use super::endpoint::Endpoint;

/// Makes calls with one message each way, one after the other on a connection.
pub(super) struct Unary {
    connection: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    answer: Bytes,
}

impl Unary {
    pub(super) async fn connect(endpoint: &Endpoint, call: &CheckedCall) -> anyhow::Result<Self> {
        let Address::Tcp(address) = &endpoint.address else {
            bail!("HTTP/1.1 runs over TCP only");
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // Its calls see how it ends.
        tokio::spawn(async move { driver.await.ok() });
        let request = Request::post(call.path)
            .header(header::HOST, "bench")
            .header(header::CONTENT_TYPE, endpoint.protocol.content_type())
            .body(Full::new(call.message.clone()))?;
        Ok(Self {
            connection,
            request,
            answer: call.answer.clone(),
        })
    }

    /// Makes one call, and checks its status and its message.
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
        ensure!(body == self.answer, "the response has another message");
        Ok(())
    }
}
