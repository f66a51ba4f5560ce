//! The connection of a resident worker: one task writes what the calls send, and reads what the worker answers.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio_util::io::{poll_read_buf, poll_write_buf};

use super::frame::{self, Frame};
use super::group::Group;
use super::received::Violation;
use crate::fastcgi::segments::Segments;
use crate::fastcgi::socket::Socket;

/// The buffer of the first read. A read that fills its buffer doubles the next one.
const READ_SIZE: usize = 8 * 1024;
const MAX_READ_SIZE: usize = 128 * 1024;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the worker closed its connection")]
    Closed,
    #[error("the connection to the worker broke: {0}")]
    Broken(#[source] io::Error),
    #[error("the worker broke the protocol: {0}")]
    Violation(#[from] Violation),
    #[error("the worker was given up")]
    GivenUp,
}

/// Serves a worker until its connection ends, and removes it then.
#[derive(Debug)]
pub(super) struct WorkerConnection {
    socket: Socket,
    group: Arc<Group>,
    worker: usize,
    /// What is being written; `None` if the worker reads nothing any more.
    writing: Option<Segments>,
    unread: BytesMut,
    read_size: usize,
    frames: Vec<Frame>,
    /// Whether everything that the worker has sent is known.
    all_received: bool,
}

impl WorkerConnection {
    pub(super) fn new(socket: Socket, group: Arc<Group>, worker: usize) -> Self {
        Self {
            socket,
            group,
            worker,
            writing: Some(Segments::default()),
            unread: BytesMut::new(),
            read_size: READ_SIZE,
            frames: Vec::new(),
            all_received: false,
        }
    }

    pub(super) async fn serve(mut self) -> End {
        let end = poll_fn(|cx| self.poll(cx)).await;
        self.all_received = match &end {
            End::Closed => true,
            // The peer's kernel may still have had some of it.
            End::Broken(_) => self.socket.is_local(),
            End::GivenUp => self.close(),
            End::Violation(_) => false,
        };
        end
    }

    /// Closes the connection: from now on, the worker cannot end a call, and so not begin another one. Receives what it
    /// has sent before, and returns whether that is all.
    fn close(&mut self) -> bool {
        self.socket.shut_down(&mut self.unread) && self.receive().is_ok()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            self.write(cx);
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => {
                    let is_writing = self.writing.as_ref().is_none_or(Buf::has_remaining);
                    let (waits, given_up) = self.group.with(|state| {
                        let worker = &mut state.workers[self.worker];
                        let waits = worker.wait_for_output(cx.waker(), is_writing);
                        (waits, worker.given_up)
                    });
                    if given_up {
                        return Poll::Ready(End::GivenUp);
                    }
                    if waits {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Writes what the calls have sent, as far as the worker takes it.
    fn write(&mut self, cx: &mut Context<'_>) {
        let Some(writing) = &mut self.writing else {
            return;
        };
        loop {
            if !writing.has_remaining() {
                *writing = self.group.with(|state| {
                    let worker = &mut state.workers[self.worker];
                    worker.take_outbox(&mut state.wakes)
                });
                if !writing.has_remaining() {
                    return;
                }
            }
            match poll_write_buf(Pin::new(&mut self.socket), cx, writing) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Pending => return,
                // Reading shows what it has still sent.
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.writing = None;
                    return;
                }
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        self.unread.reserve(self.read_size);
        let room = self.unread.capacity() - self.unread.len();
        let read = poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.unread);
        match ready!(read) {
            Ok(0) => return Poll::Ready(Err(End::Closed)),
            Ok(length) if length == room => {
                self.read_size = MAX_READ_SIZE.min(2 * self.read_size);
            }
            Ok(_) => {}
            Err(error) => return Poll::Ready(Err(End::Broken(error))),
        }
        Poll::Ready(self.receive().map_err(End::from))
    }

    /// Applies all frames that are complete.
    fn receive(&mut self) -> Result<(), Violation> {
        let mut invalid = None;
        loop {
            match frame::decode(&mut self.unread) {
                Ok(Some(frame)) => self.frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    invalid = Some(error);
                    break;
                }
            }
        }
        if self.unread.is_empty() {
            // An idle worker needs no buffer.
            self.unread = BytesMut::new();
        }
        let frames = &mut self.frames;
        let received = self.group.with(|state| state.receive(self.worker, frames));
        match invalid {
            Some(error) => received.and(Err(error.into())),
            None => received,
        }
    }
}

impl Drop for WorkerConnection {
    fn drop(&mut self) {
        self.group
            .with(|state| state.remove_worker(self.worker, self.all_received));
    }
}
