//! Coalesces HTTP/2's writes in one turn of its task into one: h2 writes each DATA frame separately, with at most 16 KiB
//! for most clients.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// At this size, the pending bytes are flushed before the turn ends, and before more are accepted. The pieces of a stream
/// in one turn stay below it.
const MAX_PENDING: usize = 128 * 1024;

/// A stream whose writes are coalesced. Both owners belong to one task: HTTP/2, and [`Turns`].
#[derive(Debug)]
pub(super) struct Coalescing<S>(Arc<Mutex<Unflushed<S>>>);

#[derive(Debug)]
struct Unflushed<S> {
    stream: S,
    pending: BytesMut,
    /// An error between two writes, reported by the next one.
    failed: Option<io::Error>,
}

impl<S> Coalescing<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Unflushed {
            stream,
            pending: BytesMut::new(),
            failed: None,
        })))
    }

    /// The handle of the other owner.
    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn lock(&self) -> MutexGuard<'_, Unflushed<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Coalescing<S> {
    /// Flushes as much as the stream takes. The task is woken when it takes more.
    fn end_turn(&self, cx: &mut Context<'_>) {
        let mut state = self.lock();
        if let Poll::Ready(Err(error)) = state.poll_write_out(cx) {
            state.pending.clear();
            state.failed = Some(error);
        }
    }
}

/// A connection whose writes are flushed at the end of each turn.
#[derive(Debug)]
pub(super) struct Turns<C, S> {
    connection: Pin<Box<C>>,
    coalescing: Coalescing<S>,
}

impl<C, S> Turns<C, S> {
    pub(super) fn new(connection: C, coalescing: Coalescing<S>) -> Self {
        Self {
            connection: Box::pin(connection),
            coalescing,
        }
    }
}

impl<C: Future, S: AsyncWrite + Unpin> Future for Turns<C, S> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let turn = self.connection.as_mut().poll(cx);
        self.coalescing.end_turn(cx);
        turn
    }
}

impl<S: AsyncWrite + Unpin> Unflushed<S> {
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pending.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(written);
        }
        // TLS holds back encrypted bytes until it is flushed.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if self.pending.len() < MAX_PENDING {
            return Poll::Ready(Ok(()));
        }
        self.poll_write_out(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coalescing<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalescing<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        ready!(state.poll_room(cx))?;
        state.pending.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        ready!(state.poll_room(cx))?;
        for slice in slices {
            state.pending.extend_from_slice(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Only reports errors: the end of the turn flushes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.lock().failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        ready!(state.poll_write_out(cx))?;
        Pin::new(&mut state.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    async fn end_turn<S: AsyncWrite + Unpin>(coalescing: &Coalescing<S>) {
        poll_fn(|cx| {
            coalescing.end_turn(cx);
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn the_writes_of_a_turn_are_one() {
        let stream = tokio_test::io::Builder::new()
            .write(b"onetwo")
            .write(b"three")
            .build();
        let mut near = Coalescing::new(stream);
        let turns = near.share();
        near.write_all(b"one").await.unwrap();
        near.flush().await.unwrap();
        near.write_all(b"two").await.unwrap();
        end_turn(&turns).await;
        near.write_all(b"three").await.unwrap();
        near.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn pending_bytes_are_bounded() {
        let (near, mut far) = duplex(1);
        let mut near = Coalescing::new(near);
        let turns = near.share();
        near.write_all(&[b'x'; MAX_PENDING]).await.unwrap();
        let mut more = Box::pin(near.write_all(b"more"));
        assert!(futures_util::poll!(&mut more).is_pending());
        // The waiting writer is woken when the bytes have been read.
        let read = async {
            let mut all = vec![0; MAX_PENDING + 4];
            far.read_exact(&mut all).await.unwrap();
            all
        };
        let write = async {
            more.await.unwrap();
            let all_out = |cx: &mut Context<'_>| {
                turns.end_turn(cx);
                match turns.lock().pending.is_empty() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            };
            poll_fn(all_out).await;
        };
        let (all, ()) = tokio::join!(read, write);
        assert!(all.ends_with(b"xmore"));
    }

    #[tokio::test]
    async fn a_failed_write_is_reported_to_the_next_one() {
        let error = io::ErrorKind::ConnectionReset;
        let stream = tokio_test::io::Builder::new()
            .write_error(error.into())
            .build();
        let mut near = Coalescing::new(stream);
        let turns = near.share();
        near.write_all(b"lost").await.unwrap();
        end_turn(&turns).await;
        assert_eq!(near.write_all(b"more").await.unwrap_err().kind(), error);
    }
}
