//! A client that speaks HTTP/2 frame by frame, and does not do what it is not told to.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::TEST_TIMEOUT;

pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const GOAWAY: u8 = 0x7;

/// A connection that has begun.
#[derive(Debug)]
pub(crate) struct Frames(TcpStream);

/// A frame, without its flags and its stream.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frames {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.unwrap();
        Self(stream)
    }

    /// `None` when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut header = [0; 9];
            self.0.read_exact(&mut header).await.ok()?;
            let [a, b, c, kind, ..] = header;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind, payload })
        };
        timeout(TEST_TIMEOUT, read).await.expect("nothing in time")
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

    /// Says that it is alive.
    pub(crate) async fn answer(&mut self, ping: &Frame) {
        let header = b"\0\0\x08\x06\x01\0\0\0\0";
        let answer = [&header[..], &ping.payload].concat();
        self.0.write_all(&answer).await.unwrap();
    }
}
