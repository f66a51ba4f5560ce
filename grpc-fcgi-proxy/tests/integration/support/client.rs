//! A client that sends and sees a call as HTTP/2 has it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No call of a test takes longer.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One HTTP/2 connection.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    connection: SendRequest<Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http_status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Empty if the answer was "Trailers-Only".
    pub(crate) trailers: HeaderMap,
}

/// A message behind its prefix.
pub(crate) fn message(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[0], &length[..], content].concat()
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (connection, driver) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(driver);
        Self { connection }
    }

    /// A unary call with this message and metadata.
    pub(crate) async fn call(&self, content: &[u8], metadata: &[(&str, &str)]) -> Answer {
        self.call_method("/test.Service/Method", content, metadata)
            .await
    }

    pub(crate) async fn call_method(
        &self,
        path: &str,
        content: &[u8],
        metadata: &[(&str, &str)],
    ) -> Answer {
        let metadata = [&[("content-type", "application/grpc")], metadata].concat();
        self.send(path, message(content), &metadata).await.unwrap()
    }

    /// Any body and header fields at all.
    pub(crate) async fn send(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> hyper::Result<Answer> {
        let mut request =
            Request::post(format!("http://test.example{path}")).header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let exchange = async {
            let mut connection = self.connection.clone();
            connection.ready().await?;
            let (head, body) = connection.send_request(request).await?.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            Ok(Answer {
                http_status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
                trailers,
            })
        };
        timeout(TEST_TIMEOUT, exchange)
            .await
            .expect("no answer in time")
    }
}

impl Answer {
    /// Where the status stands: in the trailers, or in the only header block.
    fn status_block(&self) -> &HeaderMap {
        if self.trailers.contains_key("grpc-status") {
            &self.trailers
        } else {
            &self.headers
        }
    }

    /// `grpc-status`, and `grpc-message` as it came.
    pub(crate) fn status(&self) -> (&str, &str) {
        let field = |name| {
            self.status_block()
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
        };
        (field("grpc-status"), field("grpc-message"))
    }

    /// The content of the only message.
    pub(crate) fn content(&self) -> &[u8] {
        assert_eq!(self.status(), ("0", ""));
        let (prefix, content) = self.body.split_at(5);
        assert_eq!(prefix, &message(content)[..5]);
        content
    }

    /// The message of `variables.php`.
    pub(crate) fn variables(&self) -> serde_json::Value {
        serde_json::from_slice(self.content()).unwrap()
    }
}
