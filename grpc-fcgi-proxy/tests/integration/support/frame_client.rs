//! A client that sends and receives HTTP/2 frames, and does nothing by itself.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::TEST_TIMEOUT;
use super::client::message;
use super::frame::{DATA, Frame, HEADERS, RST_STREAM, SETTINGS};

/// The header fields of a call, each a literal without indexing (RFC 7541, section 6.2.2).
const CALL: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.Service/Method"),
    (":authority", "test.example"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
];
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// A connection that has sent its preface.
#[derive(Debug)]
pub(crate) struct FrameClient {
    connection: TcpStream,
    next_stream: u32,
}

impl FrameClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.unwrap();
        Self {
            connection: stream,
            next_stream: 1,
        }
    }

    /// `None` when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut header = [0; 9];
            self.connection.read_exact(&mut header).await.ok()?;
            let (mut frame, length) = Frame::from_header(header);
            frame.payload = vec![0; length];
            self.connection.read_exact(&mut frame.payload).await.ok()?;
            Some(frame)
        };
        timeout(TEST_TIMEOUT, read).await.expect("no frame in time")
    }

    /// The next frame of a kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection is closed");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Sends a PING with ACK.
    pub(crate) async fn acknowledge(&mut self, ping: &Frame) {
        let header = b"\0\0\x08\x06\x01\0\0\0\0";
        let ack = [&header[..], &ping.payload].concat();
        self.connection.write_all(&ack).await.unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.connection.local_addr().unwrap()
    }

    fn begin(&mut self) -> (u32, Vec<u8>) {
        let stream = self.next_stream;
        self.next_stream += 2;
        let mut fields = Vec::new();
        for (name, value) in CALL {
            fields.push(0);
            for text in [name, value] {
                fields.push(u8::try_from(text.len()).unwrap());
                fields.extend_from_slice(text.as_bytes());
            }
        }
        (stream, encode(HEADERS, END_HEADERS, stream, &fields))
    }

    /// Sends a unary call with this message, and returns its stream.
    pub(crate) async fn call(&mut self, content: &[u8]) -> u32 {
        let (stream, mut bytes) = self.begin();
        bytes.extend(encode(DATA, END_STREAM, stream, &message(content)));
        self.connection.write_all(&bytes).await.unwrap();
        stream
    }

    /// Begins a unary call, whose message is not complete yet.
    pub(crate) async fn begin_call(&mut self, part: &[u8]) -> u32 {
        let (stream, mut bytes) = self.begin();
        bytes.extend(encode(DATA, 0, stream, part));
        self.connection.write_all(&bytes).await.unwrap();
        stream
    }

    /// Completes its message.
    pub(crate) async fn end_call(&mut self, stream: u32, rest: &[u8]) {
        let bytes = encode(DATA, END_STREAM, stream, rest);
        self.connection.write_all(&bytes).await.unwrap();
    }

    /// Begins calls and resets each at once. Stops when the server closes the connection.
    pub(crate) async fn reset_calls(&mut self, count: usize) {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let (stream, begin) = self.begin();
            bytes.extend(begin);
            bytes.extend(encode(RST_STREAM, 0, stream, &CANCEL));
        }
        let _ = self.connection.write_all(&bytes).await;
    }

    /// Sets the window of each stream to 0 bytes.
    pub(crate) async fn close_windows(&mut self) {
        // SETTINGS_INITIAL_WINDOW_SIZE
        let settings = encode(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
        self.connection.write_all(&settings).await.unwrap();
    }
}

fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length, &[kind, flags][..], &stream, payload].concat()
}
