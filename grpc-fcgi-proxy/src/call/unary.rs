//! A unary call: one whole message in, one whole answer out.

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use grpc_wire::encoding::{Encoding, NamedEncoding};
use grpc_wire::message::{Decoder, Encoder};
use grpc_wire::status::Code;
use http_body_util::BodyExt;

use super::compression::Compression;
use super::error::CallError;
use super::observed::Observed;
use super::request::CallRequest;
use super::request_body::RequestBody;
use super::response::Outcome;
use crate::application::Answers;
use crate::binding::answers::AnswerError;
use crate::binding::head::Head;
use crate::binding::variables::Input;

/// Serves the call to its end. `serve` makes the response: another future around this one would hold the request twice.
pub(super) async fn run(
    call: &CallRequest<'_>,
    observed: &mut Observed,
    body: RequestBody,
) -> Result<Outcome, CallError> {
    // In a block, so that nothing of this is held while the message is compressed.
    let compressing = {
        let (message, compressed) = receive(call, observed, body).await?;
        let variables = call.variables(Input::Message {
            length: message.len(),
            compressed,
        });
        let requests = stream::iter([Ok::<_, CallError>(message)]);
        let (application, log) = (&call.bridge.application, observed.application_log());
        let mut answers = application
            .begin(&variables, requests, call.holdings(), log, observed.span())
            .await?;
        let result = collect(call, &mut answers).await;
        answers.finish(&result);
        let (head, message) = result?;
        observed.set_method_known();
        let outcome = outcome(call, observed, head, message)?;
        match outcome.encoding {
            None => return Ok(outcome),
            Some(encoding) => compress(call.bridge.compression.clone(), encoding, outcome).boxed(),
        }
    };
    compressing.await
}

/// Reads the request to its end: a unary call has exactly one message. Also returns whether it was compressed.
async fn receive(
    call: &CallRequest<'_>,
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
        let encoding = NamedEncoding::of(call.headers());
        let compression = &call.bridge.compression;
        compression
            .decompress(encoding, message.content, limit)
            .await?
    } else {
        message.content
    };
    Ok((content, message.compressed))
}

/// Reads the answer to its end: only then is it known to be complete.
async fn collect<R>(
    call: &CallRequest<'_>,
    answers: &mut Answers<R>,
) -> Result<(Head, Encoder), CallError>
where
    R: stream::Stream<Item = Result<Bytes, CallError>> + Unpin,
{
    let mut message = Encoder::new(call.bridge.limits.send_message);
    let (head, first) = answers.head().await?;
    message.push(&first).map_err(AnswerError::Message)?;
    while let Some(piece) = answers.next().await? {
        message.push(&piece).map_err(AnswerError::Message)?;
    }
    if head.status.is_none() {
        if answers.has_fatal_error() {
            return Err(AnswerError::FatalError.into());
        }
        // Without one it is OK by the predecessor's contract, unless something shows that it is not.
        if call.bridge.require_status || answers.must_have_status() {
            return Err(CallError::NoStatus);
        }
    }
    check_length(&head, &message)?;
    Ok((head, message))
}

/// A script that has failed in the middle of its message has printed less than it declared.
fn check_length(head: &Head, message: &Encoder) -> Result<(), CallError> {
    let code = head.status.as_ref().map_or(Code::Ok, |status| status.code);
    let length = message.content_length();
    match head.body.length {
        Some(declared) if code == Code::Ok && declared != length as u64 => {
            Err(AnswerError::Length { declared, length }.into())
        }
        _ => Ok(()),
    }
}

/// The end of the call, with its message as it was received: not yet compressed, and then without its prefix.
fn outcome(
    call: &CallRequest<'_>,
    observed: &mut Observed,
    head: Head,
    message: Encoder,
) -> Result<Outcome, CallError> {
    observed.add_dropped(head.dropped);
    let Head {
        status,
        metadata,
        trailers,
        server_load,
        encoding,
        body,
        ..
    } = head;
    if let Some(report) = server_load {
        call.bridge.load_reports.set_server(*report);
    }
    if status.is_none() && !body.is_grpc {
        call.bridge.no_status_warnings.add(observed);
    }
    let status = status.unwrap_or_default();
    let encoding = encoding.filter(|encoding| encoding.is_accepted(call.headers()));
    // A failed call has no message: the body is an error page.
    let message = match (status.code, encoding) {
        (Code::Ok, None) => Some(message.finish()),
        (Code::Ok, Some(_)) => Some(message.into_content()),
        _ => None,
    };
    let outcome = Outcome {
        status,
        metadata,
        trailers,
        message,
        encoding,
    };
    let outcome = outcome.in_one_block();
    let outcome = outcome.bounded(call.bridge.limits.response_metadata, observed)?;
    observed.set_messages(1, u64::from(outcome.message.is_some()));
    Ok(outcome)
}

async fn compress(
    compression: Compression,
    encoding: Encoding,
    mut outcome: Outcome,
) -> Result<Outcome, CallError> {
    if let Some(content) = outcome.message.take() {
        let message = compression.compress(encoding, content).await;
        outcome.message = Some(message.map_err(AnswerError::from)?);
    }
    Ok(outcome)
}
