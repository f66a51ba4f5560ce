//! A client that shows a call as HTTP/2 carries it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::Code;

use super::TEST_TIMEOUT;
use super::status::code;

type RequestBody = UnsyncBoxBody<Bytes, Infallible>;

/// One HTTP/2 connection.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    connection: SendRequest<RequestBody>,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) http_status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Empty if the response is Trailers-Only.
    pub(crate) trailers: HeaderMap,
}

/// A message with gRPC's prefix.
pub(crate) fn message(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[0], &length[..], content].concat()
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await.unwrap()
    }

    /// Connects over an open stream.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> hyper::Result<Self> {
        let (connection, driver) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { connection })
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(&self) {
        let closed = async {
            while !self.connection.is_closed() {
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, closed)
            .await
            .expect("the connection stays open");
    }

    /// A unary call with this message and metadata.
    pub(crate) async fn call(&self, content: &[u8], metadata: &[(&str, &str)]) -> Response {
        self.call_method("/test.Service/Method", content, metadata)
            .await
    }

    pub(crate) async fn call_method(
        &self,
        path: &str,
        content: &[u8],
        metadata: &[(&str, &str)],
    ) -> Response {
        let metadata = [&[("content-type", "application/grpc")], metadata].concat();
        self.send(path, message(content), &metadata).await.unwrap()
    }

    /// Sends any body and header fields.
    pub(crate) async fn send(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> hyper::Result<Response> {
        self.send_method("POST", path, body, headers).await
    }

    /// The same with any HTTP method.
    pub(crate) async fn send_method(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> hyper::Result<Response> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://test.example{path}"))
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let request = request.body(Full::new(body.into()).boxed_unsync()).unwrap();
        let exchange = async {
            let mut connection = self.connection.clone();
            connection.ready().await?;
            let (head, body) = connection.send_request(request).await?.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            Ok(Response {
                http_status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
                trailers,
            })
        };
        timeout(TEST_TIMEOUT, exchange)
            .await
            .expect("no response in time")
    }
}

fn status_of(fields: &HeaderMap) -> (Code, &str) {
    let message = fields.get("grpc-message");
    let message = message.map_or("", |value| value.to_str().unwrap());
    (code(fields), message)
}

impl Response {
    /// The fields with the status: the trailers, or those of a Trailers-Only response.
    pub(crate) fn status_fields(&self) -> &HeaderMap {
        if self.trailers.contains_key("grpc-status") {
            &self.trailers
        } else {
            &self.headers
        }
    }

    /// The code, and `grpc-message` as it arrived.
    pub(crate) fn status(&self) -> (Code, &str) {
        status_of(self.status_fields())
    }

    /// The content of the only message.
    pub(crate) fn content(&self) -> &[u8] {
        assert_eq!(self.status(), (Code::Ok, ""));
        let (prefix, content) = self.body.split_at(5);
        assert_eq!(prefix, &message(content)[..5]);
        content
    }

    /// The message of `variables.php`.
    pub(crate) fn variables(&self) -> serde_json::Value {
        serde_json::from_slice(self.content()).unwrap()
    }
}

/// A streaming call, which sends and receives at the same time.
#[derive(Debug)]
pub(crate) struct StreamingCall {
    /// `None` after the half-close.
    requests: Option<mpsc::UnboundedSender<Bytes>>,
    response: JoinHandle<http::Response<Incoming>>,
    head: Option<http::response::Parts>,
    body: Option<Incoming>,
    unread: Vec<u8>,
    trailers: HeaderMap,
}

impl Client {
    pub(crate) fn stream(&self, method: &str, metadata: &[(&str, &str)]) -> StreamingCall {
        self.stream_at(&format!("/test.Service/{method}"), metadata)
    }

    pub(crate) fn stream_at(&self, path: &str, metadata: &[(&str, &str)]) -> StreamingCall {
        let (requests, received) = mpsc::unbounded_channel();
        let body = unfold(received, |mut received| async move {
            Some((Ok(Frame::data(received.recv().await?)), received))
        });
        let mut request = Request::post(format!("http://test.example{path}"))
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        for (name, value) in metadata {
            request = request.header(*name, value.as_bytes());
        }
        let request = request.body(StreamBody::new(body).boxed_unsync()).unwrap();
        let mut connection = self.connection.clone();
        let response = tokio::spawn(async move { connection.send_request(request).await.unwrap() });
        StreamingCall {
            requests: Some(requests),
            response,
            head: None,
            body: None,
            unread: Vec::new(),
            trailers: HeaderMap::new(),
        }
    }
}

/// Resets a call that has not ended.
impl Drop for StreamingCall {
    fn drop(&mut self) {
        self.response.abort();
    }
}

impl StreamingCall {
    /// Sends the same bytes many times without copying them.
    pub(crate) fn send_repeated(&self, bytes: &Bytes, count: usize) {
        for _ in 0..count {
            let _ = self.requests.as_ref().unwrap().send(bytes.clone());
        }
    }

    /// Sends bytes without a prefix.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        // The call may have ended.
        let _ = self
            .requests
            .as_ref()
            .unwrap()
            .send(Bytes::copy_from_slice(bytes));
    }

    pub(crate) fn send(&self, content: &[u8]) {
        self.send_bytes(&message(content));
    }

    pub(crate) fn half_close(&mut self) {
        self.requests = None;
    }

    /// The next message, which may take longer than usual.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Option<Vec<u8>> {
        let response = timeout(time, &mut self.response)
            .await
            .expect("no header fields in time");
        self.receive(response.unwrap());
        self.next().await
    }

    fn receive(&mut self, response: http::Response<Incoming>) {
        let (head, body) = response.into_parts();
        self.head = Some(head);
        self.body = Some(body);
    }

    /// The header fields of the response.
    pub(crate) async fn headers(&mut self) -> &HeaderMap {
        if self.head.is_none() {
            let response = timeout(TEST_TIMEOUT, &mut self.response)
                .await
                .expect("no header fields in time");
            self.receive(response.unwrap());
        }
        &self.head.as_ref().unwrap().headers
    }

    /// The flags and the content of the next message; `None` after the last one.
    pub(crate) async fn next_flagged(&mut self) -> Option<(u8, Vec<u8>)> {
        self.headers().await;
        loop {
            if let Some(&[flags, a, b, c, d]) = self.unread.first_chunk::<5>() {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.unread.len() >= 5 + length {
                    let content = self.unread.drain(..5 + length).skip(5).collect();
                    return Some((flags, content));
                }
            }
            let frame = timeout(TEST_TIMEOUT, self.body.as_mut().unwrap().frame())
                .await
                .expect("no frame in time");
            let frame = frame?;
            let frame = frame.unwrap();
            match frame.into_trailers() {
                Ok(trailers) => {
                    self.trailers = trailers;
                    return None;
                }
                Err(frame) => self.unread.extend_from_slice(&frame.into_data().unwrap()),
            }
        }
    }

    /// The content of the next message.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.next_flagged().await.map(|(_, content)| content)
    }

    /// The trailers, or the fields of a Trailers-Only response. Fails if a message is left.
    pub(crate) async fn end(&mut self) -> &HeaderMap {
        assert_eq!(self.next().await, None);
        if self.trailers.is_empty() {
            self.headers().await
        } else {
            &self.trailers
        }
    }

    /// The code and `grpc-message`, when the call has ended.
    pub(crate) async fn status(&mut self) -> (Code, String) {
        let (code, message) = status_of(self.end().await);
        (code, message.to_owned())
    }
}
