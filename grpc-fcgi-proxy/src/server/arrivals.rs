//! What arrives on a connection: the client's preface, the version of HTTP that it shows, and signs of life.

use std::future::pending;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::io::InspectReader;

/// RFC 9113, section 3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113, section 3.4: the preface "MUST be followed by a SETTINGS frame, which MAY be empty": 9 bytes. No HTTP/1.1
/// request of a call is shorter.
const PREFACE_LENGTH: usize = HTTP2_PREFACE.len() + 9;

/// What the bytes that are read from a stream show.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) preface: Preface,
    pub(super) last_read: LastRead,
}

/// Completes when the preface has been read from the stream.
#[derive(Debug)]
pub(super) struct Preface(oneshot::Receiver<()>);

/// When something was last read from the stream.
#[derive(Clone, Debug)]
pub(super) struct LastRead {
    start: Instant,
    milliseconds: Arc<AtomicU64>,
}

/// Watches the bytes that are read from the stream.
pub(super) fn watched<S: AsyncRead>(
    stream: S,
) -> (InspectReader<S, impl FnMut(&[u8]) + Unpin>, Arrivals) {
    let (sender, receiver) = oneshot::channel();
    let last_read = LastRead {
        start: Instant::now(),
        milliseconds: Arc::default(),
    };
    let mut missing = PREFACE_LENGTH;
    let mut sender = Some(sender);
    let read = last_read.clone();
    let watched = InspectReader::new(stream, move |bytes: &[u8]| {
        read.record();
        missing = missing.saturating_sub(bytes.len());
        if missing == 0
            && let Some(sender) = sender.take()
        {
            // The receiver is dropped when the connection ends.
            let _ = sender.send(());
        }
    });
    let preface = Preface(receiver);
    (watched, Arrivals { preface, last_read })
}

impl Preface {
    /// Returns only if the client takes longer than `limit`.
    pub(super) async fn overdue(self, limit: Duration) {
        if timeout(limit, self.0).await.is_ok() {
            pending().await
        }
    }
}

impl LastRead {
    fn record(&self) {
        let milliseconds = self.start.elapsed().as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
    }

    /// Returns when nothing has been read for `limit`.
    pub(super) async fn silent(&self, limit: Duration) {
        loop {
            let last = Duration::from_millis(self.milliseconds.load(Ordering::Relaxed));
            let silent = self.start + last + limit;
            if silent <= Instant::now() {
                return;
            }
            sleep_until(silent).await;
        }
    }
}

/// Whether the client speaks HTTP/2; the stream begins anew.
pub(super) async fn is_http2<S>(mut stream: S) -> io::Result<(bool, Rewound<S>)>
where
    S: AsyncRead + Unpin,
{
    let mut begin = BytesMut::with_capacity(HTTP2_PREFACE.len());
    while HTTP2_PREFACE.starts_with(&begin) && begin.len() < HTTP2_PREFACE.len() {
        if (&mut stream)
            .take((HTTP2_PREFACE.len() - begin.len()) as u64)
            .read_buf(&mut begin)
            .await?
            == 0
        {
            break;
        }
    }
    let is_http2 = begin == HTTP2_PREFACE;
    Ok((is_http2, Rewound { begin, stream }))
}

/// A stream whose first bytes are read again.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    begin: BytesMut,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.begin.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.begin.len().min(buf.remaining());
        buf.put_slice(&self.begin[..length]);
        self.begin.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_version_of_http_is_recognized_and_no_byte_is_lost() {
        for (bytes, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"[..], true),
            (b"PRINT / HTTP/1.1\r\n\r\n", false),
            (b"POST / HTTP/1.1\r\n\r\n", false),
            (b"PRI", false),
        ] {
            let (mut client, server) = duplex(1);
            let send = async {
                client.write_all(bytes).await.unwrap();
                drop(client);
            };
            let receive = async {
                let (is_http2, mut stream) = is_http2(server).await.unwrap();
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                (is_http2, all)
            };
            let ((), received) = tokio::join!(send, receive);
            assert_eq!(received, (expected, bytes.to_vec()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_silent_for_the_limit_after_its_last_byte() {
        const LIMIT: Duration = Duration::from_secs(10);
        let (mut client, server) = duplex(64);
        let (mut stream, arrivals) = watched(server);
        let mut silent = pin!(arrivals.last_read.silent(LIMIT));
        tokio::time::advance(LIMIT / 2).await;
        assert!(futures_util::poll!(&mut silent).is_pending());
        client.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
        let last = Instant::now();
        silent.await;
        assert_eq!(last.elapsed(), LIMIT);
    }
}
