//! One stream of HTTP/2: its call, and the response as fast as the client takes it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, poll_fn};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::Response;
use http_body::Body;
use tokio::time::{Sleep, sleep, timeout};

use crate::call::{Receiver, ResponseBody};

/// How long a client may take to end its request after it has the response. Then the stream is reset with NO_ERROR, as in
/// RFC 9113, section 8.1; what the client has sent by then would count as its violation.
const REQUEST_END_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the call, and sends its response. Returns early if the client resets the stream, which drops the call.
pub(super) async fn serve(
    receiver: Receiver,
    call: BoxFuture<'static, Response<ResponseBody>>,
    mut reply: SendResponse<Bytes>,
    max_idle: Duration,
) {
    let response = tokio::select! {
        biased;
        response = receiver.during(call) => response,
        _ = poll_fn(|cx| reply.poll_reset(cx)) => return,
    };
    let (head, body) = response.into_parts();
    let is_whole = body.is_end_stream();
    // Fails only if the stream has been reset.
    let Ok(stream) = reply.send_response(Response::from_parts(head, ()), is_whole) else {
        return;
    };
    if is_whole {
        // Its slot is free now.
        drop(body);
    } else {
        let mut sending = Sending::new(stream, body, max_idle);
        if let Err(Broken) = receiver.during(poll_fn(|cx| sending.poll_send(cx))).await {
            return;
        }
    }
    let _ = timeout(REQUEST_END_TIMEOUT, receiver.end()).await;
}

/// The response cannot be completed.
struct Broken;

/// A response on its way to the client.
struct Sending {
    stream: SendStream<Bytes>,
    body: ResponseBody,
    /// What the client's window has no room for yet.
    piece: Bytes,
    max_idle: Duration,
    /// Runs while the client has not taken the whole piece.
    idle: Option<Pin<Box<Sleep>>>,
}

impl Sending {
    fn new(stream: SendStream<Bytes>, body: ResponseBody, max_idle: Duration) -> Self {
        Self {
            stream,
            body,
            piece: Bytes::new(),
            max_idle,
            idle: None,
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Broken));
            }
            ready!(self.poll_piece(cx))?;
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => {
                        // Only now: a reservation for nothing would take the window of other streams.
                        self.stream.reserve_capacity(piece.len());
                        self.piece = piece;
                    }
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        self.stream.reserve_capacity(0);
                        return Poll::Ready(self.stream.send_trailers(trailers).map_err(broken));
                    }
                },
                Some(Err(_)) => {
                    self.stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(Err(Broken));
                }
                None => {
                    let end = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(end.map_err(broken));
                }
            }
        }
    }

    /// Sends the piece as far as the client's window admits. No more: h2 would hold the rest without a limit on time.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while !self.piece.is_empty() {
            let room = match self.stream.capacity() {
                0 => match self.stream.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(room))) => room,
                    Poll::Ready(_) => return Poll::Ready(Err(Broken)),
                    Poll::Pending => return self.poll_idle(cx).map(Err),
                },
                room => room,
            };
            let piece = self.piece.split_to(room.min(self.piece.len()));
            self.stream.send_data(piece, false).map_err(broken)?;
        }
        self.idle = None;
        Poll::Ready(Ok(()))
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        let idle = self
            .idle
            .get_or_insert_with(|| Box::pin(sleep(self.max_idle)));
        ready!(idle.as_mut().poll(cx));
        // PROTOCOL-HTTP2: the client reads RESOURCE_EXHAUSTED, for bandwidth.
        self.stream.send_reset(Reason::ENHANCE_YOUR_CALM);
        Poll::Ready(Broken)
    }
}

fn broken(_: h2::Error) -> Broken {
    Broken
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future};
    use http::Request;
    use http_body_util::Full;
    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;
    use crate::call;

    #[tokio::test(start_paused = true)]
    async fn a_response_of_which_the_client_takes_too_little_is_reset() {
        const MAX_IDLE: Duration = Duration::from_secs(120);
        let (near, far) = duplex(64 * 1024);
        let server = async {
            let mut connection = h2::server::handshake(near).await.unwrap();
            let (request, reply) = connection.accept().await.unwrap().unwrap();
            let (receiver, _received) = call::receive(request.into_body());
            let body = tonic::body::Body::new(Full::new(Bytes::from(vec![b'x'; 1000])));
            let response = Response::new(ResponseBody::from(body));
            tokio::spawn(serve(
                receiver,
                future::ready(response).boxed(),
                reply,
                MAX_IDLE,
            ));
            while connection.accept().await.is_some() {}
        };
        let client = async {
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(1);
            let (mut requests, connection) = builder.handshake::<_, Bytes>(far).await.unwrap();
            tokio::spawn(connection);
            let start = Instant::now();
            let (response, _) = requests.send_request(Request::default(), true).unwrap();
            let mut body = response.await.unwrap().into_body();
            loop {
                match body.data().await.unwrap() {
                    Ok(byte) => {
                        sleep(Duration::from_secs(1)).await;
                        body.flow_control().release_capacity(byte.len()).unwrap();
                    }
                    Err(error) => break (error.reason(), start.elapsed()),
                }
            }
        };
        tokio::select! {
            () = server => panic!("the server ended first"),
            (reason, elapsed) = client => {
                assert_eq!(reason, Some(Reason::ENHANCE_YOUR_CALM));
                assert!(elapsed.abs_diff(MAX_IDLE) <= Duration::from_secs(1), "{elapsed:?}");
            }
        }
    }
}
