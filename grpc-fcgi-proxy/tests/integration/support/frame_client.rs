//! A client that sends and receives HTTP/2 frames, and does nothing by itself.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::TEST_TIMEOUT;
use super::frame::Frame;

/// A connection that has sent its preface.
#[derive(Debug)]
pub(crate) struct FrameClient(TcpStream);

impl FrameClient {
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
            let (mut frame, length) = Frame::from_header(header);
            frame.payload = vec![0; length];
            self.0.read_exact(&mut frame.payload).await.ok()?;
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
        self.0.write_all(&ack).await.unwrap();
    }
}
