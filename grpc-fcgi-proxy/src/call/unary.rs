//! A unary call: one whole message in, one whole answer out.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Call;
use super::observed::{CountedExchange, Observed};
use super::request_body::RequestBody;
use super::response_body::Outcome;
use crate::binding::head::{Head, HeadDecoder, ResponseError};
use crate::binding::variables::Input;
use crate::call::error::CallError;
use crate::fastcgi::exchange::{Exchange, Output};
use grpc_wire::encoding::NamedEncoding;
use grpc_wire::message::{Decoder, Encoder};
use grpc_wire::status::Code;

pub(super) async fn run(
    call: &Call<'_>,
    observed: &mut Observed,
    body: RequestBody,
) -> Result<Outcome, CallError> {
    let (message, compressed) = receive(call, observed, body).await?;
    let connection = call.bridge.pool.acquire().await?;
    // Not before: a call that waits holds no more than it must.
    let opening = call.opening(Input::Message {
        length: message.len(),
        compressed,
    })?;
    let mut exchange = Exchange::new(connection, opening, stream::iter([Ok(message)]));
    let mut counted = CountedExchange::begin(call.bridge);
    let result = answer(call, observed, &mut exchange).await;
    counted.ended(&result);
    let (connection, progress) = exchange.into_connection();
    connection.release(progress);
    let (head, message) = result?;
    observed.set_answered();
    outcome(call, observed, head, message)
}

/// Reads the request to its end: a unary call has exactly one message. Says too whether it came compressed.
async fn receive(
    call: &Call<'_>,
    observed: &mut Observed,
    mut body: RequestBody,
) -> Result<(Bytes, bool), CallError> {
    let limit = call.bridge.limits.receive_message;
    let mut decoder = Decoder::new(limit);
    let mut only = None;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        decoder.push(piece);
        while let Some(message) = decoder.decode().map_err(CallError::RequestMessage)? {
            observed.set_messages(1, 0);
            if only.replace(message).is_some() {
                return Err(CallError::MessageCount);
            }
        }
    }
    decoder.finish().map_err(CallError::RequestMessage)?;
    let message = only.ok_or(CallError::MessageCount)?;
    let content = if message.compressed {
        NamedEncoding::of(call.headers()).decompress(&message.content, limit)?
    } else {
        message.content
    };
    Ok((content, message.compressed))
}

/// Reads the answer to its end: only then is it known to be whole.
async fn answer<C, I>(
    call: &Call<'_>,
    observed: &Observed,
    exchange: &mut Exchange<C, I>,
) -> Result<(Head, Encoder), CallError>
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: Stream<Item = Result<Bytes, Infallible>> + Unpin,
{
    let mut log = observed.application_log();
    let mut decoder = HeadDecoder::default();
    let mut head = None;
    let mut message = Encoder::new(call.bridge.limits.send_message);
    while let Some(output) = exchange.next().await? {
        let mut piece = match output {
            Output::Stdout(piece) => piece,
            Output::Stderr(piece) => {
                log.push(&piece);
                continue;
            }
        };
        if head.is_none() {
            let Some((parsed, rest)) = decoder.push(&piece)? else {
                continue;
            };
            head = Some(parsed);
            piece = rest;
        }
        message.push(&piece).map_err(CallError::ResponseMessage)?;
    }
    Ok((head.ok_or(ResponseError::NoEndOfHead)?, message))
}

fn outcome(
    call: &Call<'_>,
    observed: &mut Observed,
    head: Head,
    message: Encoder,
) -> Result<Outcome, CallError> {
    observed.left_out(head.left_out);
    let Head {
        status,
        metadata,
        trailers,
        encoding,
        ..
    } = head;
    // The predecessor's contract: a script that says nothing of a status has done what it should.
    let status = status.unwrap_or_default();
    let encoding = encoding.filter(|encoding| encoding.is_accepted(call.headers()));
    // A call that failed has no message: what the body says then is an error page.
    let message = match (status.code, encoding) {
        (Code::Ok, None) => Some(message.finish()),
        (Code::Ok, Some(encoding)) => Some(message.finish_compressed(encoding)?),
        _ => None,
    };
    observed.set_messages(1, u64::from(message.is_some()));
    Ok(Outcome {
        status,
        metadata,
        trailers,
        message,
        encoding,
    })
}
