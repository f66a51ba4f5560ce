//! Calls over HTTP/2, with the bare message in the body of request and response: Connect's, and those of a transcoder.

use anyhow::ensure;
use bytes::{Buf, Bytes};
use http::{Request, StatusCode, header};

use super::call::CheckedCall;
use super::endpoint::Protocol;
use super::grpc::{GrpcConnection, check_ok};

/// Makes calls with one message each way.
pub(super) struct Unary {
    connection: GrpcConnection,
    request: Request<()>,
    message: Bytes,
    answer: Bytes,
}

impl Unary {
    pub(super) fn new(connection: GrpcConnection, protocol: Protocol, call: &CheckedCall) -> Self {
        let mut request = Request::post(format!("http://bench{}", call.path))
            .body(())
            .unwrap_or_default();
        let fields = request.headers_mut();
        fields.insert(header::CONTENT_TYPE, protocol.content_type());
        fields.insert(header::CONTENT_LENGTH, call.message.len().into());
        Self {
            connection,
            request,
            message: call.message.clone(),
            answer: call.answer.clone(),
        }
    }

    /// Makes one call, and checks its status and its message.
    pub(super) async fn call(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.clone().ready().await?;
        let (response, mut requests) = connection.send_request(self.request.clone(), false)?;
        requests.send_data(self.message.clone(), true)?;
        let (head, mut body) = response.await?.into_parts();
        ensure!(head.status == StatusCode::OK, "HTTP status {}", head.status);
        // A transcoder passes it on.
        if head.headers.contains_key("grpc-status") {
            check_ok(&head.headers)?;
        }
        let mut rest = self.answer.clone();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            ensure!(rest.starts_with(&data), "the response has another message");
            rest.advance(data.len());
        }
        ensure!(rest.is_empty(), "a message was cut short");
        Ok(())
    }
}
