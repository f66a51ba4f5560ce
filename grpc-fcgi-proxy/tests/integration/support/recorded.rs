//! A client that records the frames of its connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::io::InspectReader;

use super::frame::Frame;
use super::{Client, TEST_TIMEOUT};

/// A client, and the bytes that it has received.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) client: Client,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Recorded {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&received);
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = InspectReader::new(stream, move |bytes: &[u8]| {
            kept.lock().unwrap().extend_from_slice(bytes);
        });
        let client = Client::over(stream).await.unwrap();
        Self { client, received }
    }

    /// The frames received so far.
    fn frames(&self) -> Vec<Frame> {
        let received = self.received.lock().unwrap();
        let mut rest = &received[..];
        let mut frames = Vec::new();
        while let Some((header, behind)) = rest.split_first_chunk() {
            let (mut frame, length) = Frame::from_header(*header);
            let Some((payload, next)) = behind.split_at_checked(length) else {
                break;
            };
            frame.payload = payload.to_vec();
            frames.push(frame);
            rest = next;
        }
        frames
    }

    /// The frames of one stream.
    pub(crate) fn frames_of(&self, stream: u32) -> Vec<Frame> {
        let mut frames = self.frames();
        frames.retain(|frame| frame.stream == stream);
        frames
    }

    /// Waits for the first frame of a kind.
    pub(crate) async fn next(&self, kind: u8) -> Frame {
        let found = async {
            loop {
                if let Some(frame) = self.frames().into_iter().find(|frame| frame.kind == kind) {
                    return frame;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, found)
            .await
            .expect("no such frame in time")
    }
}
