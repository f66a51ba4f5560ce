//! The exchanges of one connection, one after the other.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use grpc_fcgi_proxy::binding::frame::TRAILERS;
use grpc_fcgi_proxy::fastcgi::record::{MAX_CONTENT_LENGTH, RecordType, encode_header};
use grpc_wire::message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answer::{HEAD, answer};
use super::methods::{ECHO, SOURCE, SOURCE_MESSAGE, STALL, source_length};
use super::request::{self, RequestRecord};

/// Messages that a source writes at once.
const BURST: u64 = 8;

/// How a method behaves.
#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Unary,
    Echo,
    Source,
    Stall,
}

/// A connection, and its current exchange.
pub(super) struct Exchanges<C> {
    connection: C,
    input: BytesMut,
    output: BytesMut,
    keep: bool,
    behaviour: Behaviour,
    /// The input so far of a method that needs all of it.
    message: BytesMut,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Exchanges<C> {
    pub(super) fn new(connection: C) -> Self {
        Self {
            connection,
            input: BytesMut::new(),
            output: BytesMut::new(),
            keep: false,
            behaviour: Behaviour::Unary,
            message: BytesMut::new(),
        }
    }

    /// Runs until either side ends the connection.
    pub(super) async fn run(mut self) -> io::Result<()> {
        loop {
            while let Some(record) = request::decode(&mut self.input) {
                if self.take(record).await? && !self.keep {
                    self.flush().await?;
                    return self.connection.shutdown().await;
                }
            }
            self.flush().await?;
            self.input.reserve(8 * 1024);
            if self.connection.read_buf(&mut self.input).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Returns whether the record ended the exchange.
    async fn take(&mut self, record: RequestRecord) -> io::Result<bool> {
        match record {
            RequestRecord::Begin { keep } => self.keep = keep,
            RequestRecord::Params(pairs) if !pairs.is_empty() => self.begin(&pairs),
            RequestRecord::Stdin(content) if content.is_empty() => return self.end().await,
            RequestRecord::Stdin(content) if self.behaviour == Behaviour::Echo => {
                self.stdout(&content)
            }
            RequestRecord::Stdin(content) => self.message.extend_from_slice(&content),
            RequestRecord::Params(_) | RequestRecord::Other => {}
        }
        Ok(false)
    }

    fn begin(&mut self, pairs: &[u8]) {
        let path = request::variable(pairs, b"REQUEST_URI").unwrap_or_default();
        self.behaviour = match path {
            path if path == ECHO.as_bytes() => Behaviour::Echo,
            path if path == SOURCE.as_bytes() => Behaviour::Source,
            path if path == STALL.as_bytes() => Behaviour::Stall,
            _ => Behaviour::Unary,
        };
        if matches!(self.behaviour, Behaviour::Echo | Behaviour::Source) {
            self.stdout(HEAD);
        }
    }

    /// Handles the end of the input; returns whether the exchange has ended.
    async fn end(&mut self) -> io::Result<bool> {
        let message = self.message.split().freeze();
        match self.behaviour {
            Behaviour::Stall => return Ok(false),
            Behaviour::Unary => self.answer(answer(message)),
            Behaviour::Echo => self.trailers(),
            Behaviour::Source => {
                self.source(&message).await?;
                self.trailers();
            }
        }
        self.output
            .put_slice(&encode_header(RecordType::EndRequest, 8));
        self.output.put_bytes(0, 8);
        Ok(true)
    }

    fn answer(&mut self, message: Bytes) {
        if HEAD.len() + message.len() <= MAX_CONTENT_LENGTH {
            self.stdout(&[HEAD, &message].concat());
        } else {
            self.stdout(HEAD);
            self.stdout(&message);
        }
    }

    async fn source(&mut self, request: &[u8]) -> io::Result<()> {
        let mut left = source_length(request);
        let frame = message::encode(0, &[b'a'; SOURCE_MESSAGE]);
        while left > 0 {
            let burst = left.min(BURST);
            for _ in 0..burst {
                self.stdout(&frame);
            }
            self.flush().await?;
            left -= burst;
        }
        Ok(())
    }

    fn trailers(&mut self) {
        self.stdout(&message::encode(TRAILERS, b"grpc-status: 0\r\n"));
    }

    fn stdout(&mut self, content: &[u8]) {
        for content in content.chunks(MAX_CONTENT_LENGTH) {
            let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
            self.output
                .put_slice(&encode_header(RecordType::Stdout, length));
            self.output.put_slice(content);
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.connection.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }
}
