//! Support for the tests of the services: empty databases, servers on free ports, and an HTTP client. Not part of any
//! program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "for tests")]

use std::{
    env,
    fmt::Debug,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use clap::{CommandFactory, FromArgMatches};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use url::Url;
use uuid::Uuid;

use crate::{
    channel::Peer,
    config::command,
    context::TRACE_HEADERS,
    grpc::Listeners,
    listen::{Protocol, serve},
};

/// The URL of a PostgreSQL server, with a role that may create databases.
const POSTGRES: &str = "TEST_POSTGRES_URL";

/// An empty database for a single test.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its URL.
    pub url: String,
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// Creates an SQLite file in a temporary folder, which is deleted on drop.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/test.sqlite", folder.path().display());
        Self {
            url,
            _folder: Some(folder),
        }
    }

    /// Creates a database on the PostgreSQL server, if the environment names one.
    pub async fn postgres() -> Option<Self> {
        let Ok(server) = env::var(POSTGRES) else {
            assert!(
                env::var("CI").is_err(),
                "{POSTGRES} is not set: CI must test PostgreSQL"
            );
            eprintln!("PostgreSQL is not tested: {POSTGRES} is not set");
            return None;
        };
        sqlx::any::install_default_drivers();
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut connection = AnyConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let mut url = Url::parse(&server).unwrap();
        url.set_path(&name);
        Some(Self {
            url: url.into(),
            _folder: None,
        })
    }

    /// Creates a database of each kind.
    pub async fn each() -> Vec<Self> {
        let sqlite = Some(Self::sqlite());
        [sqlite, Self::postgres().await]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Parses a service's flags as its program does.
pub fn flags<C: CommandFactory + FromArgMatches>(service: &str, flags: &[&str]) -> C {
    let args = [&[service], flags].concat();
    let matches = command::<C>(service).try_get_matches_from(args).unwrap();
    C::from_arg_matches(&matches).unwrap()
}

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct Running<T = ()> {
    /// The address of the server.
    pub address: SocketAddr,
    /// The address of the auxiliary port.
    pub aux: SocketAddr,
    stop: DropGuard,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Running<T> {
    /// Starts a gRPC server.
    pub async fn start<F>(run: impl FnOnce(Listeners, CancellationToken) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (calls, aux) = (free_port().await, free_port().await);
        let (address, aux_address) = (calls.local_addr().unwrap(), aux.local_addr().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(Listeners { calls, aux }, stop.clone()));
        Self {
            address,
            aux: aux_address,
            stop: stop.drop_guard(),
            task,
        }
    }

    /// Returns a channel to the server.
    pub fn channel(&self) -> Channel {
        let peer: Peer = self.address.to_string().parse().unwrap();
        peer.channel()
    }

    /// Stops the server, and returns its result.
    pub async fn stop(self) -> T {
        drop(self.stop);
        self.task.await.unwrap()
    }

    /// Waits until the server ends by itself.
    pub async fn ended(self) -> T {
        self.task.await.unwrap()
    }

    /// Stops the server without waiting for its end.
    pub fn stopping(self) -> JoinHandle<T> {
        drop(self.stop);
        self.task
    }
}

/// Binds a free port.
pub async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Serves fakes of gRPC services.
pub async fn fake(services: Router) -> Running {
    Running::start(|listeners, stop| {
        let drain = Duration::from_millis(10);
        serve(listeners.calls, Protocol::Http2, services, stop, drain)
    })
    .await
}

/// Makes an HTTP/1.1 request.
pub async fn http(address: SocketAddr, request: Request<Body>) -> Response<String> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    drop(sender);
    connection.await.unwrap().unwrap();
    Response::from_parts(parts, String::from_utf8(body.into()).unwrap())
}

/// Makes a GET request.
pub async fn get(address: SocketAddr, path: &str) -> Response<String> {
    http(address, Request::get(path).body(Body::empty()).unwrap()).await
}

/// Returns a value for every trace header, and two for one of them.
pub fn trace_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in TRACE_HEADERS {
        headers.insert(name, format!("value-of-{name}").parse().unwrap());
    }
    headers.append("baggage", "another=value".parse().unwrap());
    headers
}

/// Keeps only the trace headers.
pub fn only_trace_headers(headers: &HeaderMap) -> HeaderMap {
    let ours = headers
        .iter()
        .filter(|(name, _)| TRACE_HEADERS.contains(&name.as_str()));
    ours.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Values that a fake server has recorded.
#[derive(Debug)]
pub struct Recorded<T>(Arc<Mutex<Vec<T>>>);

impl<T> Recorded<T> {
    /// Adds a value.
    pub fn push(&self, value: T) {
        self.0.lock().unwrap().push(value);
    }

    /// Takes all values.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<T> Default for Recorded<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Recorded<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A TCP relay to a server, which a test can cut.
#[derive(Debug)]
pub struct TcpRelay {
    /// The address of the relay.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl TcpRelay {
    /// Starts a relay to a server. It closes the first `closed` connections immediately.
    pub async fn to(server: String, closed: usize) -> Self {
        let listener = free_port().await;
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            for _ in 0..closed {
                drop(listener.accept().await.unwrap());
            }
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut far = TcpStream::connect(&server).await.unwrap();
                connections.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        });
        Self { address, task }
    }

    /// Stops the relay and closes all connections.
    pub async fn cut(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
