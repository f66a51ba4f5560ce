//! Gathers what HTTP/2 writes in one turn of its task, so that it goes out in one write: h2 writes each DATA frame by
//! itself, and has at most 16 KiB in one for most clients.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// With this much gathered, it goes out before the turn is over, and no more is taken until it has: as much as a
/// stream's pieces are in one turn.
const MAX_GATHERED: usize = 128 * 1024;

/// A stream whose writes are gathered. Its two owners are of the same task: HTTP/2, and who ends its turns.
#[derive(Debug)]
pub(super) struct Gather<S>(Arc<Mutex<State<S>>>);

#[derive(Debug)]
struct State<S> {
    stream: S,
    gathered: BytesMut,
    /// What has gone wrong when nobody asked.
    failed: Option<io::Error>,
}

impl<S> Gather<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(State {
            stream,
            gathered: BytesMut::new(),
            failed: None,
        })))
    }

    /// For the other owner.
    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    /// Ends a turn: as much goes out as the stream takes. The task is woken when it takes more.
    fn end_turn(&self, cx: &mut Context<'_>) {
        let mut state = self.lock();
        if let Poll::Ready(Err(error)) = state.poll_write_out(cx) {
            state.gathered.clear();
            state.failed = Some(error);
        }
    }
}

/// A connection; what it writes in a turn goes out behind the turn.
#[derive(Debug)]
pub(super) struct Turns<C, S> {
    connection: Pin<Box<C>>,
    gather: Gather<S>,
}

impl<C, S> Turns<C, S> {
    pub(super) fn new(connection: C, gather: Gather<S>) -> Self {
        Self {
            connection: Box::pin(connection),
            gather,
        }
    }

    pub(super) fn inner(&mut self) -> Pin<&mut C> {
        self.connection.as_mut()
    }
}

impl<C: Future, S: AsyncWrite + Unpin> Future for Turns<C, S> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let turn = self.connection.as_mut().poll(cx);
        self.gather.end_turn(cx);
        turn
    }
}

impl<S: AsyncWrite + Unpin> State<S> {
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.gathered.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.gathered))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
        }
        // TLS keeps what it has encrypted until then.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if self.gathered.len() < MAX_GATHERED {
            return Poll::Ready(Ok(()));
        }
        self.poll_write_out(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        ready!(state.poll_room(cx))?;
        state.gathered.extend_from_slice(buf);
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
            state.gathered.extend_from_slice(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The end of the turn does it.
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

    async fn end_turn<S: AsyncWrite + Unpin>(gather: &Gather<S>) {
        poll_fn(|cx| {
            gather.end_turn(cx);
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
        let mut near = Gather::new(stream);
        let turns = near.share();
        near.write_all(b"one").await.unwrap();
        near.flush().await.unwrap();
        near.write_all(b"two").await.unwrap();
        end_turn(&turns).await;
        near.write_all(b"three").await.unwrap();
        near.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn no_more_is_gathered_than_the_bound() {
        let (near, mut far) = duplex(1);
        let mut near = Gather::new(near);
        let turns = near.share();
        near.write_all(&[b'x'; MAX_GATHERED]).await.unwrap();
        let mut more = Box::pin(near.write_all(b"more"));
        assert!(futures_util::poll!(&mut more).is_pending());
        // Whoever waits is woken when there is room.
        let read = async {
            let mut all = vec![0; MAX_GATHERED + 4];
            far.read_exact(&mut all).await.unwrap();
            all
        };
        let write = async {
            more.await.unwrap();
            let all_out = |cx: &mut Context<'_>| {
                turns.end_turn(cx);
                match turns.lock().gathered.is_empty() {
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
    async fn a_failed_write_is_told_to_the_next_one() {
        let error = io::ErrorKind::ConnectionReset;
        let stream = tokio_test::io::Builder::new()
            .write_error(error.into())
            .build();
        let mut near = Gather::new(stream);
        let turns = near.share();
        near.write_all(b"lost").await.unwrap();
        end_turn(&turns).await;
        assert_eq!(near.write_all(b"more").await.unwrap_err().kind(), error);
    }
}
