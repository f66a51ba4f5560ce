//! Notices a client that connects and then sends nothing.

use std::future::pending;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::io::InspectReader;

/// RFC 9113, 3.4: a client begins with 24 bytes, which "MUST be followed by a SETTINGS frame, which MAY be empty": 9
/// bytes. No HTTP/1.1 request of a call is shorter.
const PREFACE_LENGTH: usize = 24 + 9;

/// Completes when the preface has been read from the stream.
#[derive(Debug)]
pub(super) struct Preface(oneshot::Receiver<()>);

/// Watches the stream for the preface.
pub(super) fn watched<S: AsyncRead>(
    stream: S,
) -> (InspectReader<S, impl FnMut(&[u8]) + Unpin>, Preface) {
    let (sender, receiver) = oneshot::channel();
    let mut missing = PREFACE_LENGTH;
    let mut sender = Some(sender);
    let watched = InspectReader::new(stream, move |bytes: &[u8]| {
        missing = missing.saturating_sub(bytes.len());
        if missing == 0
            && let Some(sender) = sender.take()
        {
            // The receiver is dropped when the connection ends.
            let _ = sender.send(());
        }
    });
    (watched, Preface(receiver))
}

impl Preface {
    /// Returns only if the client takes longer than `limit`.
    pub(super) async fn overdue(self, limit: Duration) {
        if timeout(limit, self.0).await.is_ok() {
            pending().await
        }
    }
}
