//! A gRPC-Web client over HTTP/1.1, like a browser.

use std::net::SocketAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::TEST_TIMEOUT;

pub(crate) const BINARY: &str = "application/grpc-web+proto";
pub(crate) const TEXT: &str = "application/grpc-web-text";
/// The flag of the trailers frame.
pub(crate) const TRAILERS: u8 = 0x80;

/// One connection.
#[derive(Debug)]
pub(crate) struct WebClient(SendRequest<Full<Bytes>>);

/// A response, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct WebResponse {
    pub(crate) head: http::response::Parts,
    body: Incoming,
    /// Base64 that is not decoded yet.
    text: Option<Vec<u8>>,
    unread: Vec<u8>,
}

impl WebClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (connection, driver) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(driver);
        Self(connection)
    }

    /// Sends any request, and collects its response.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Response<Bytes> {
        let (head, body) = self.begin(method, path, body, headers).await.into_parts();
        let body = timeout(TEST_TIMEOUT, body.collect())
            .await
            .expect("no end of the body in time");
        Response::from_parts(head, body.unwrap().to_bytes())
    }

    async fn begin(
        &mut self,
        method: &str,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "web.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.0.ready().await.unwrap();
        timeout(TEST_TIMEOUT, self.0.send_request(request))
            .await
            .expect("no header fields in time")
            .unwrap()
    }

    /// Makes a call with one message, given with its prefix.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        kind: &str,
        body: &[u8],
        metadata: &[(&str, &str)],
    ) -> WebResponse {
        let text = kind == TEXT;
        let body = match text {
            true => BASE64_STANDARD.encode(body).into_bytes(),
            false => body.to_vec(),
        };
        let own = [
            ("content-type", kind),
            ("accept", kind),
            ("x-grpc-web", "1"),
        ];
        let path = format!("/test.Service/{method}");
        let headers = [&own, metadata].concat();
        let response = self.begin("POST", &path, body, &headers).await;
        let (head, body) = response.into_parts();
        WebResponse {
            head,
            body,
            text: text.then(Vec::new),
            unread: Vec::new(),
        }
    }
}

impl WebResponse {
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The flags and the content of the next frame, as soon as it has arrived.
    pub(crate) async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(&[flags, a, b, c, d]) = self.unread.first_chunk::<5>() {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.unread.len() >= 5 + length {
                    let content = self.unread.drain(..5 + length).skip(5).collect();
                    return Some((flags, content));
                }
            }
            let frame = timeout(TEST_TIMEOUT, self.body.frame())
                .await
                .expect("no frame in time")?;
            let bytes = frame.unwrap().into_data().unwrap();
            let Some(text) = &mut self.text else {
                self.unread.extend_from_slice(&bytes);
                continue;
            };
            text.extend_from_slice(&bytes);
            // Each flushed piece is padded, so padding may stand anywhere.
            for four in text.drain(..text.len() / 4 * 4).as_slice().chunks(4) {
                self.unread.extend(BASE64_STANDARD.decode(four).unwrap());
            }
        }
    }

    /// The fields of the trailers, sorted. Fails if a frame follows them.
    pub(crate) async fn trailers(&mut self) -> Vec<String> {
        let (flags, content) = self.next().await.unwrap();
        assert_eq!(flags, TRAILERS);
        assert_eq!(self.next().await, None);
        let text = String::from_utf8(content).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}
