//! A scripted FastCGI application: a list of steps describes how it handles a request, faults included.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::TEST_TIMEOUT;

const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

/// One step. After the last one the application closes the connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads the request to its end.
    Read,
    /// Reads only up to the end of PARAMS: the input of a streaming call need not end.
    ReadParams,
    Send(Vec<u8>),
    /// Sends each byte in a write of its own.
    SendSplit(Vec<u8>),
    /// Sends the same bytes many times.
    Flood(Vec<u8>, usize),
    /// Stops reading and writing.
    Stall,
}

type Scripts = Arc<Mutex<VecDeque<Vec<Step>>>>;

/// Stops when dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    address: SocketAddr,
    scripts: Scripts,
    connections: TaskTracker,
    /// Whether stalled connections read on to the end.
    released: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = TaskTracker::new();
        let (released, release) = watch::channel(false);
        let scripts = Scripts::default();
        let (tracker, shared) = (connections.clone(), Arc::clone(&scripts));
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tracker.spawn(serve(stream, Arc::clone(&shared), release.clone()));
            }
        });
        Self {
            address,
            scripts,
            connections,
            released,
            accepting,
        }
    }

    /// Sets the steps for the next request that has none yet. A request without steps gets a good answer.
    pub(crate) fn next(&self, script: &[Step]) {
        self.released.send_replace(false);
        self.scripts.lock().unwrap().push_back(script.to_vec());
    }

    /// What `--fastcgi` takes.
    pub(crate) fn url(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Waits until each script has its request.
    pub(crate) async fn has_begun(&self) {
        let begun = async {
            while !self.scripts.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, begun)
            .await
            .expect("no request in time");
    }

    /// Releases stalled connections until the next script is set, and waits until the proxy has closed its side of each
    /// connection.
    pub(crate) async fn connections_close(&self) {
        self.released.send_replace(true);
        self.connections.close();
        timeout(TEST_TIMEOUT, self.connections.wait())
            .await
            .expect("the proxy keeps a connection open");
        self.connections.reopen();
        // A call that ended before it got here leaves its script unused.
        self.scripts.lock().unwrap().clear();
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, scripts: Scripts, mut released: watch::Receiver<bool>) {
    stream.set_nodelay(true).unwrap();
    // A probe whether something listens sends nothing.
    if !matches!(stream.peek(&mut [0]).await, Ok(1)) {
        return;
    }
    let next = scripts.lock().unwrap().pop_front();
    for step in next.unwrap_or_else(|| vec![Step::Read, Step::Send(good_answer())]) {
        if run(&mut stream, step, &mut released).await.is_err() {
            // The proxy has closed the connection.
            return;
        }
    }
}

async fn run(
    stream: &mut TcpStream,
    step: Step,
    released: &mut watch::Receiver<bool>,
) -> std::io::Result<()> {
    match step {
        Step::Read => read_past_end_of(stream, STDIN).await,
        Step::ReadParams => read_past_end_of(stream, PARAMS).await,
        Step::Send(bytes) => stream.write_all(&bytes).await,
        Step::SendSplit(bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        Step::Flood(bytes, times) => {
            for _ in 0..times {
                stream.write_all(&bytes).await?;
            }
            Ok(())
        }
        Step::Stall => {
            released.wait_for(|released| *released).await.unwrap();
            tokio::io::copy(stream, &mut tokio::io::sink())
                .await
                .map(|_| ())
        }
    }
}

/// Reads records up to the empty one that ends a stream.
async fn read_past_end_of(stream: &mut TcpStream, kind: u8) -> std::io::Result<()> {
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header).await?;
        let content = u16::from_be_bytes([header[4], header[5]]);
        let mut rest = vec![0; usize::from(content) + usize::from(header[6])];
        stream.read_exact(&mut rest).await?;
        if header[1] == kind && content == 0 {
            return Ok(());
        }
    }
}

/// A record of request 1.
pub(crate) fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, 1, high, low, 0, 0], content].concat()
}

pub(crate) fn stdout(content: &[u8]) -> Vec<u8> {
    record(STDOUT, content)
}

pub(crate) fn stderr(content: &[u8]) -> Vec<u8> {
    record(STDERR, content)
}

/// END_REQUEST.
pub(crate) const END: [u8; 16] = [1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Header fields without a status.
pub(crate) const HEAD: &[u8] = b"Content-Type: application/grpc\r\n\r\n";
/// The trailers frame of a streaming call that ends with OK. For a unary call it is an ordinary message.
pub(crate) const BODY: &[u8] = b"\x80\0\0\0\x10grpc-status: 0\r\n";

/// A complete answer, valid for each kind of call.
pub(crate) fn good_answer() -> Vec<u8> {
    [&stdout(HEAD)[..], &stdout(BODY), &END].concat()
}
