//! The requests: HTTP/1.1, on connections that are kept, as a browser makes them.

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

use crate::{config::Key, outcome::Failure};

const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// Bytes of a response. No list is longer by far.
const MAX_RESPONSE: usize = 64 * 1024 * 1024;

/// The client of a shop.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    origin: Uri,
    key: Option<Key>,
}

/// A response, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Answer {
    /// The message of a response with the status 200.
    pub(crate) fn message<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.status != StatusCode::OK {
            return Err(self.status.into());
        }
        self.json().ok_or(Failure::Wrong)
    }

    /// The body, whatever the status.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Client {
    pub(crate) fn new(origin: Uri, key: Option<Key>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { http, origin, key }
    }

    pub(crate) fn may_write(&self) -> bool {
        self.key.is_some()
    }

    /// Makes a request, and reads the response until this time.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|_| Failure::Wrong)?,
            None => Vec::new(),
        };
        let request = self.request(method, path, body.into())?;
        let read = async {
            let response = self.send(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_RESPONSE);
            let body = body
                .collect()
                .await
                .map_err(|_| Failure::Aborted)?
                .to_bytes();
            Ok(Answer { status, body })
        };
        timeout_at(deadline, read)
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    /// Opens a stream of events; its head arrives until this time.
    pub(crate) async fn events(&self, path: &str, deadline: Instant) -> Result<Incoming, Failure> {
        let mut request = self.request(Method::GET, path, Bytes::new())?;
        let accept = header::HeaderValue::from_static("text/event-stream");
        request.headers_mut().insert(header::ACCEPT, accept);
        let response = timeout_at(deadline, self.send(request)).await;
        let response = response.unwrap_or(Err(Failure::Timeout))?;
        if response.status() != StatusCode::OK {
            return Err(response.status().into());
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return Err(Failure::Wrong);
        }
        Ok(response.into_body())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut parts = self.origin.clone().into_parts();
        // Only an id of the shop could be no path.
        parts.path_and_query = Some(path.parse().map_err(|_| Failure::Wrong)?);
        let uri = Uri::from_parts(parts).map_err(|_| Failure::Wrong)?;
        let mut request = Request::builder().method(&method).uri(uri);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        // Only writes need it.
        if let Some(key) = self.key.as_ref().filter(|_| method != Method::GET) {
            request = request.header(KEY_HEADER, key.value());
        }
        request.body(Full::new(body)).map_err(|_| Failure::Wrong)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        self.http.request(request).await.map_err(|error| {
            if error.is_connect() {
                Failure::Connect
            } else {
                Failure::Aborted
            }
        })
    }
}
