//! One exchange over one connection: STDIN is written while STDOUT is read.
//!
//! Owns the order of records both ways and the limit on buffered bytes. It neither opens the connection nor interprets
//! the records' content. Everything happens inside the task that polls it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{poll_read_buf, poll_write_buf};

use super::record::{self, MAX_CONTENT_LENGTH, Record, RecordError, RecordType};
use super::segments::Segments;

/// STDIN is not read while this number of bytes waits to be written.
const MAX_UNWRITTEN: usize = 64 * 1024;
/// The buffer of the first read. A read that fills its buffer doubles the next one.
const READ_SIZE: usize = 8 * 1024;
/// The largest buffer of a read: more than the largest record.
const MAX_READ_SIZE: usize = 128 * 1024;

/// A piece of the output that the application sends during the exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// A piece of the answer.
    Stdout(Bytes),
    /// A piece of its log.
    Stderr(Bytes),
}

/// The progress of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The application may still be busy.
    Unfinished,
    /// END_REQUEST, the end of the connection, or bytes that are not FastCGI have arrived.
    Ended,
    /// END_REQUEST has arrived, and nothing is left to read or write: another exchange may use the connection.
    Reusable,
}

/// An exchange without END_REQUEST.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The connection broke.
    #[error("the connection to the application broke: {0}")]
    Io(#[from] io::Error),
    /// The application sent an invalid record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The worker ended before it sent any of an answer.
    #[error("the application closed the connection without an answer")]
    NoAnswer,
    /// The worker ended in the middle of its answer.
    #[error("the application closed the connection before its answer was complete")]
    CutShort,
}

/// One exchange, from BEGIN_REQUEST to END_REQUEST.
#[derive(Debug)]
pub struct Exchange<C, I> {
    connection: C,
    /// `None` when STDIN has ended, or the application no longer reads it.
    stdin: Option<I>,
    unwritten: Segments,
    /// Whether the write side was shut down after STDIN; `None` if it stays open.
    half_closed: Option<bool>,
    unread: BytesMut,
    read_size: usize,
    answered: bool,
    progress: Progress,
}

impl<C, I, E> Exchange<C, I>
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Prepares the exchange: `opening` is BEGIN_REQUEST and PARAMS, `stdin` is the body in pieces.
    pub fn new(connection: C, opening: Vec<u8>, stdin: I) -> Self {
        Self {
            connection,
            stdin: Some(stdin),
            unwritten: opening.into(),
            half_closed: None,
            unread: BytesMut::new(),
            read_size: READ_SIZE,
            answered: false,
            progress: Progress::Unfinished,
        }
    }

    /// Shuts the write side down after STDIN. Input of unknown length needs this: php-fpm may read past the record that
    /// ends STDIN, and would wait forever.
    #[must_use]
    pub fn half_closing(mut self) -> Self {
        self.half_closed = Some(false);
        self
    }

    /// Reads the next piece of output; `None` at END_REQUEST. Writes the request meanwhile. Cancel safe.
    ///
    /// # Errors
    ///
    /// If STDIN fails; or `failed` of the reason, if the exchange ends without END_REQUEST.
    pub async fn next(&mut self, failed: impl Fn(ExchangeError) -> E) -> Result<Option<Output>, E> {
        poll_fn(|cx| self.poll_next(cx, &failed)).await
    }

    /// The same, as a poll.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        failed: impl Fn(ExchangeError) -> E,
    ) -> Poll<Result<Option<Output>, E>> {
        match self.poll_request(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => self.poll_answer(cx).map_err(failed),
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Output>, ExchangeError>> {
        loop {
            match self.decode()? {
                Some(Record::Stdout(content) | Record::Stderr(content)) if content.is_empty() => {}
                Some(Record::Stdout(content)) => {
                    self.answered = true;
                    return Poll::Ready(Ok(Some(Output::Stdout(content))));
                }
                Some(Record::Stderr(content)) => {
                    return Poll::Ready(Ok(Some(Output::Stderr(content))));
                }
                Some(Record::EndRequest) => return Poll::Ready(Ok(None)),
                None => ready!(self.poll_read(cx))?,
            }
        }
    }

    fn decode(&mut self) -> Result<Option<Record>, RecordError> {
        let decoded = record::decode(&mut self.unread);
        match decoded {
            Ok(Some(Record::EndRequest)) => self.progress = Progress::Reusable,
            Err(_) => self.progress = Progress::Ended,
            Ok(_) => {}
        }
        decoded
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
        self.unread.reserve(self.read_size);
        let room = self.unread.capacity() - self.unread.len();
        let read = ready!(poll_read_buf(
            Pin::new(&mut self.connection),
            cx,
            &mut self.unread
        ));
        if !matches!(read, Ok(1..)) {
            self.progress = Progress::Ended;
        }
        if matches!(read, Ok(length) if length == room) {
            self.read_size = MAX_READ_SIZE.min(2 * self.read_size);
        }
        Poll::Ready(match read {
            Ok(0) => Err(self.closed()),
            // On TCP, a peer that closes with unread input resets the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(self.closed()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        })
    }

    fn closed(&self) -> ExchangeError {
        if self.answered || !self.unread.is_empty() {
            ExchangeError::CutShort
        } else {
            ExchangeError::NoAnswer
        }
    }

    /// Writes as much of the request as STDIN yields and the connection takes; ready when nothing is left to write.
    ///
    /// Fails if STDIN does. An application that does not read its input is no error: it may answer and close without
    /// reading, and reading the answer shows whether it is complete.
    pub(crate) fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        loop {
            self.fill(cx)?;
            if !self.unwritten.has_remaining() {
                return if self.stdin.is_some() {
                    Poll::Pending
                } else {
                    self.poll_half_close(cx).map(Ok)
                };
            }
            let connection = Pin::new(&mut self.connection);
            if let Ok(0) | Err(_) = ready!(poll_write_buf(connection, cx, &mut self.unwritten)) {
                self.stdin = None;
                self.unwritten = Segments::default();
            }
        }
    }

    fn poll_half_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.half_closed == Some(false) {
            // A closed connection needs no shutdown.
            let _ = ready!(Pin::new(&mut self.connection).poll_shutdown(cx));
            self.half_closed = Some(true);
        }
        Poll::Ready(())
    }

    /// Ends STDIN with `last_words`, as far as the connection takes them at once. Without them, the application could not
    /// distinguish a client that has gone from a half-close.
    pub(crate) fn abandon(&mut self, last_words: Bytes) {
        if self.stdin.take().is_some() {
            self.push_stdin(last_words);
            let mut cx = Context::from_waker(Waker::noop());
            let _ = poll_write_buf(Pin::new(&mut self.connection), &mut cx, &mut self.unwritten);
        }
    }

    /// Returns the connection, and the progress of the exchange.
    pub fn into_connection(self) -> (C, Progress) {
        let nothing_left = self.unread.is_empty()
            && self.stdin.is_none()
            && !self.unwritten.has_remaining()
            && self.half_closed.is_none();
        let progress = match self.progress {
            Progress::Reusable if !nothing_left => Progress::Ended,
            progress => progress,
        };
        (self.connection, progress)
    }

    /// Ends STDIN early. php-fpm ends a request only when it has read all of its input.
    pub(crate) fn end_input(&mut self) {
        if self.stdin.take().is_some() {
            self.push_header(0);
        }
    }

    /// Reads STDIN before each write, including the first: so a small request is one write.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<(), E> {
        while let Some(stdin) = &mut self.stdin
            && self.unwritten.remaining() < MAX_UNWRITTEN
        {
            match Pin::new(stdin).poll_next(cx) {
                Poll::Ready(Some(chunk)) => self.push_stdin(chunk?),
                Poll::Ready(None) => {
                    self.stdin = None;
                    self.push_header(0);
                }
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn push_stdin(&mut self, mut chunk: Bytes) {
        while !chunk.is_empty() {
            let content = chunk.split_to(chunk.len().min(MAX_CONTENT_LENGTH));
            self.push_header(u16::try_from(content.len()).unwrap_or(u16::MAX));
            self.unwritten.push(content);
        }
    }

    fn push_header(&mut self, content_length: u16) {
        let header = record::encode_header(RecordType::Stdin, content_length);
        self.unwritten.push_slice(&header);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::identity;

    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const END: &[u8] = b"\x01\x03\x00\x01\x00\x08\x00\x00\0\0\0\0\0\0\0\0";

    fn stdout(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        [&record::encode_header(RecordType::Stdout, length), content].concat()
    }

    fn exchange<C: AsyncRead + AsyncWrite + Unpin>(
        connection: C,
        body: Bytes,
    ) -> Exchange<C, impl Stream<Item = Result<Bytes, ExchangeError>> + Unpin> {
        Exchange::new(connection, b"opening".to_vec(), stream::iter([Ok(body)]))
    }

    #[tokio::test]
    async fn a_small_request_is_one_write() {
        let mut application = tokio_test::io::Builder::new()
            .write(b"opening\x01\x05\x00\x01\x00\x02\x00\x00hi\x01\x05\x00\x01\x00\x00\x00\x00")
            .read(&stdout(b"yes"))
            .read(END)
            .build();
        let mut exchange = exchange(&mut application, Bytes::from_static(b"hi"));
        assert_eq!(
            exchange.next(identity).await.unwrap(),
            Some(Output::Stdout(Bytes::from_static(b"yes")))
        );
        assert_eq!(exchange.next(identity).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_answer_that_fills_the_pipe_before_the_input_is_read_does_not_deadlock() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let application = tokio::spawn(async move {
            let answer = stdout(&[b'x'; 50_000]);
            theirs.write_all(&answer).await.unwrap();
            let mut input = vec![0; 7 + 8 + 65_535 + 8 + 34_465 + 8];
            theirs.read_exact(&mut input).await.unwrap();
            theirs.write_all(END).await.unwrap();
        });
        let mut exchange = exchange(ours, Bytes::from(vec![b'y'; 100_000]));
        let Some(Output::Stdout(content)) = exchange.next(identity).await.unwrap() else {
            panic!("no answer");
        };
        assert_eq!(content.len(), 50_000);
        assert_eq!(exchange.next(identity).await.unwrap(), None);
        application.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_comes_before_the_input_is_read_arrives() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let application = tokio::spawn(async move {
            theirs
                .write_all(&[stdout(b"early"), END.to_vec()].concat())
                .await
                .unwrap();
        });
        let mut exchange = exchange(ours, Bytes::from(vec![b'y'; 100_000]));
        assert_eq!(
            exchange.next(identity).await.unwrap(),
            Some(Output::Stdout(Bytes::from_static(b"early")))
        );
        assert_eq!(exchange.next(identity).await.unwrap(), None);
        application.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_cut_short_is_an_error() {
        let whole = [stdout(b"half of it"), END.to_vec()].concat();
        for cut in 0..whole.len() {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            theirs.write_all(&whole[..cut]).await.unwrap();
            drop(theirs);
            let mut exchange = exchange(ours, Bytes::new());
            let error = loop {
                match exchange.next(identity).await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("cut at {cut} passed as whole"),
                    Err(error) => break error,
                }
            };
            assert_eq!(
                matches!(error, ExchangeError::NoAnswer),
                cut == 0,
                "cut at {cut}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn buffered_stdin_is_bounded() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let taken = std::sync::atomic::AtomicUsize::new(0);
        let stdin = stream::repeat_with(|| {
            taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, ExchangeError>(Bytes::from_static(&[b'x'; 1024]))
        });
        let mut exchange = Exchange::new(ours, Vec::new(), stdin);
        let pending = poll_fn(|cx| Poll::Ready(exchange.poll_request(cx).is_pending()));
        assert!(pending.await);
        assert!(taken.into_inner() <= 2 + MAX_UNWRITTEN / 1024);
    }
}
