//! A channel that sets and shows the compression of each message, which tonic's client cannot.

use std::error::Error;
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use flate2::read::GzDecoder;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::transport::Channel;

type BoxError = Box<dyn Error + Send + Sync>;

/// Collects each body, so only streams that end by themselves pass.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    channel: Channel,
    /// Undoes the compression of all requests but the first.
    only_first_compressed: bool,
    flags: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            only_first_compressed: false,
            flags: Arc::default(),
        }
    }

    pub(crate) fn only_first_compressed(mut self) -> Self {
        self.only_first_compressed = true;
        self
    }

    /// Takes the flags of the messages that have arrived since the last time.
    pub(crate) fn take_flags(&self) -> Vec<u8> {
        std::mem::take(&mut self.flags.lock().unwrap())
    }

    async fn send(mut self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let mut content = body.collect().await?.to_bytes();
        if self.only_first_compressed {
            content = decompress_after_first(content)?;
        }
        let request = Request::from_parts(head, Body::new(Full::new(content)));
        let (head, body) = self.channel.call(request).await?.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned().map(Ok);
        let content = body.to_bytes();
        for (flags, _) in messages(content.clone()) {
            self.flags.lock().unwrap().push(flags);
        }
        let body = Full::new(content).with_trailers(std::future::ready(trailers));
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.channel.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone has not been polled until ready.
        let clone = self.clone();
        std::mem::replace(self, clone).send(request).boxed()
    }
}

fn messages(mut content: Bytes) -> impl Iterator<Item = (u8, Bytes)> {
    std::iter::from_fn(move || {
        content.has_remaining().then(|| {
            let flags = content.get_u8();
            let length = content.get_u32() as usize;
            (flags, content.split_to(length))
        })
    })
}

fn decompress_after_first(content: Bytes) -> Result<Bytes, BoxError> {
    let mut rewritten = Vec::new();
    for (number, (mut flags, message)) in messages(content).enumerate() {
        let mut message = Vec::from(message);
        if number > 0 && flags == 1 {
            let compressed = std::mem::take(&mut message);
            GzDecoder::new(compressed.as_slice()).read_to_end(&mut message)?;
            flags = 0;
        }
        rewritten.put_u8(flags);
        rewritten.put_u32(message.len().try_into()?);
        rewritten.extend(message);
    }
    Ok(rewritten.into())
}
