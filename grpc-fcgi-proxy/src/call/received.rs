//! The bytes of a request over HTTP/2, taken out of HTTP/2 as they arrive.
//!
//! h2 holds each DATA frame that nobody reads by itself, and ends a connection on which small ones add up. Here they are
//! joined, in the task of their stream, whatever the call waits for. The client may send more only when the call has
//! taken them: a stream holds at most its window, and no other stream waits for it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use h2::RecvStream;

/// A smaller piece behind another is copied: in place, it would keep the buffer alive that it was read into, which may be
/// many times its size.
const SMALL: usize = 16 * 1024;

/// Takes the bytes of one request out of HTTP/2.
#[derive(Debug)]
pub(crate) struct Receiver(Arc<Mutex<State>>);

/// The bytes, as the call reads them.
#[derive(Debug)]
pub(crate) struct Received(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    stream: RecvStream,
    pieces: Pieces,
    /// The end of the request, or the error that broke it.
    end: Option<Result<(), h2::Error>>,
    /// The task that waits for bytes.
    reader: Option<Waker>,
    /// Whether the call still wants the bytes.
    wanted: bool,
}

/// Bytes in the order of arrival.
#[derive(Debug, Default)]
struct Pieces {
    queue: VecDeque<Bytes>,
    /// Behind the queue.
    small: BytesMut,
}

/// Both ends of one request.
pub(crate) fn receive(stream: RecvStream) -> (Receiver, Received) {
    let state = Arc::new(Mutex::new(State {
        stream,
        pieces: Pieces::default(),
        end: None,
        reader: None,
        wanted: true,
    }));
    (Receiver(Arc::clone(&state)), Received(state))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Runs `work`, and receives meanwhile.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let _ = self.poll_receive(cx);
            work.as_mut().poll(cx)
        })
        .await
    }

    /// Receives until the client has ended its request, or has broken it off.
    pub(crate) async fn end(&self) {
        poll_fn(|cx| self.poll_receive(cx)).await;
    }

    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        let arrived = state.poll_arrived(cx);
        // The call of this task is polled next in any case.
        if arrived.progress
            && let Some(reader) = state.reader.take_if(|reader| !reader.will_wake(cx.waker()))
        {
            drop(state);
            reader.wake();
        }
        arrived.end
    }
}

struct Arrived {
    progress: bool,
    end: Poll<()>,
}

impl State {
    fn poll_arrived(&mut self, cx: &mut Context<'_>) -> Arrived {
        let mut progress = false;
        while self.end.is_none() {
            let Poll::Ready(data) = self.stream.poll_data(cx) else {
                return Arrived {
                    progress,
                    end: Poll::Pending,
                };
            };
            progress = true;
            match data {
                Some(Ok(bytes)) if self.wanted => self.pieces.push(bytes),
                // The client may not send more than its window for nothing.
                Some(Ok(_)) => {}
                Some(Err(error)) => self.end = Some(Err(error)),
                None => self.end = Some(Ok(())),
            }
        }
        Arrived {
            progress,
            end: Poll::Ready(()),
        }
    }
}

impl Pieces {
    fn push(&mut self, bytes: Bytes) {
        let is_first = self.queue.is_empty() && self.small.is_empty();
        if bytes.len() < SMALL && !is_first {
            return self.small.extend_from_slice(&bytes);
        }
        if !self.small.is_empty() {
            self.queue.push_back(self.small.split().freeze());
        }
        self.queue.push_back(bytes);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let small = |small: &mut BytesMut| (!small.is_empty()).then(|| small.split().freeze());
        self.queue.pop_front().or_else(|| small(&mut self.small))
    }
}

impl Received {
    /// The next bytes; `None` at the end of the request.
    pub(super) fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let mut state = lock(&self.0);
        if let Some(bytes) = state.pieces.pop() {
            // Fails only if the stream has ended, and then nobody needs the window.
            let _ = state.stream.flow_control().release_capacity(bytes.len());
            return Poll::Ready(Some(Ok(bytes)));
        }
        match &mut state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
            None => {
                match &mut state.reader {
                    Some(reader) => reader.clone_from(cx.waker()),
                    reader => *reader = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        let state = lock(&self.0);
        state.pieces.queue.is_empty()
            && state.pieces.small.is_empty()
            && matches!(state.end, Some(Ok(())))
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.wanted = false;
        state.pieces = Pieces::default();
    }
}
