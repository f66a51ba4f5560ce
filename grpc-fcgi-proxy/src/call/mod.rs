//! One call from end to end: the only place that names every step.
//!
//! A unary call runs inside the task of its HTTP/2 stream; a streaming call's exchange has a task of its own, since
//! both directions must go on while the client takes nothing. Either is dropped, and the connection to php-fpm with
//! it, when the client goes away.

mod builtin;
pub mod error;
mod observed;
mod open;
mod request_body;
mod requests;
mod response_body;
mod slots;
mod streaming;
mod unary;

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, header};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::observed::Observed;
pub use self::open::{OpenCall, OpenCalls};
pub use self::request_body::RequestBody;
pub use self::response_body::Answer;
use self::response_body::respond;
pub use self::slots::Places;
use crate::binding::route::Routes;
use crate::binding::variables::{self, Input, Variables};
use crate::builtin::Local;
use crate::builtin::descriptors::MethodKinds;
use crate::call::error::CallError;
use crate::fastcgi::pair::PairTooLong;
use crate::fastcgi::pool::Pool;
use crate::metrics::Metrics;
use grpc_wire::method::{CallKind, Method};
use grpc_wire::{content_type, metadata, timeout};

/// What every call needs.
#[derive(Debug)]
pub struct Bridge {
    /// The way to php-fpm.
    pub pool: Arc<Pool>,
    /// What it runs.
    pub routes: Routes,
    /// What kind each method is.
    pub kinds: MethodKinds,
    /// What the proxy answers itself.
    pub local: Local,
    /// Bounds on what a call may carry.
    pub limits: CallLimits,
    /// One for each call that may be here at once.
    pub places: Places,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time to drain is over: what still runs is broken off.
    pub stopping: CancellationToken,
}

/// Bounds on what a call may carry, in bytes; and on its delay.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// A message from the client.
    pub receive_message: usize,
    /// A message of the application.
    pub send_message: usize,
    /// All header fields of a request.
    pub metadata: usize,
    /// How long nothing may come of a request that has one message.
    pub request_idle: Duration,
}

/// Both ends of the client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The client's.
    pub peer: SocketAddr,
    /// The proxy's.
    pub local: SocketAddr,
}

/// Serves one request.
pub async fn serve(
    bridge: Arc<Bridge>,
    ends: Ends,
    request: Request<RequestBody>,
) -> Response<Answer> {
    if !content_type::is_grpc(request.headers()) {
        return unsupported_media_type();
    }
    let (head, body) = request.into_parts();
    let kind = bridge.kinds.of(head.uri.path());
    let mut observed = Observed::begin(&bridge, head.uri.path(), kind, &head.headers);
    let call = match Call::read(&bridge, ends, &head, kind, observed.start()) {
        Ok(call) => call,
        Err(error) => return failed(observed, &error),
    };
    let body = match kind {
        CallKind::Unary | CallKind::ServerStream => body.bounded(bridge.limits.request_idle),
        // This client may send its messages when it likes.
        CallKind::ClientStream | CallKind::BidiStream => body,
    };
    if let Some(service) = bridge.local.service(head.uri.path()) {
        let (deadline, request) = (call.deadline, Request::from_parts(head, body));
        return Box::pin(builtin::run(service, observed, deadline, request)).await;
    }
    let place = match bridge.places.take() {
        Ok(place) => place,
        Err(error) => return failed(observed, &error),
    };
    let answer = match kind {
        CallKind::Unary => {
            let result = {
                let work = pin!(unary::run(&call, &mut observed, body));
                call.in_time(work).await
            };
            let outcome = result.unwrap_or_else(|error| observed.fail(&error));
            observed.end(outcome.status.code);
            respond(outcome)
        }
        _ => Box::pin(streaming::run(&call, observed, body)).await,
    };
    answer.map(|answer| answer.in_place(place))
}

fn failed(mut observed: Observed, error: &CallError) -> Response<Answer> {
    let outcome = observed.fail(error);
    observed.end(outcome.status.code);
    respond(outcome)
}

fn unsupported_media_type() -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// What a call's request says, before its messages.
struct Call<'a> {
    bridge: &'a Arc<Bridge>,
    kind: CallKind,
    method: Method<'a>,
    head: &'a Parts,
    ends: Ends,
    deadline: Option<Instant>,
}

impl<'a> Call<'a> {
    fn read(
        bridge: &'a Arc<Bridge>,
        ends: Ends,
        head: &'a Parts,
        kind: CallKind,
        start: Instant,
    ) -> Result<Self, CallError> {
        let method = Method::parse(head.uri.path())?;
        metadata::check_size(&head.headers, bridge.limits.metadata)?;
        let timeout = timeout::requested(&head.headers)?;
        Ok(Self {
            bridge,
            kind,
            method,
            head,
            ends,
            deadline: timeout.and_then(|timeout| start.checked_add(timeout)),
        })
    }

    fn headers(&self) -> &'a HeaderMap {
        &self.head.headers
    }

    fn time_left(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// HTTP/2 has it in the URI, HTTP/1.1 in a header field.
    fn authority(&self) -> &'a str {
        let host = self.headers().get(header::HOST);
        match self.head.uri.authority() {
            Some(authority) => authority.as_str(),
            None => host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
        }
    }

    /// BEGIN_REQUEST and PARAMS.
    fn opening(&self, input: Input) -> Result<Vec<u8>, PairTooLong> {
        variables::encode(&Variables {
            script: self.bridge.routes.script(self.method.service),
            kind: self.kind,
            method: self.method,
            authority: self.authority(),
            headers: self.headers(),
            input,
            keep_connection: matches!(input, Input::Message { .. })
                && self.bridge.pool.keeps_connections(),
            time_left: self.time_left(),
            peer: self.ends.peer,
            local: self.ends.local,
        })
    }

    /// The work is pinned already: moved into this future, it would take its room in each call twice.
    async fn in_time<T>(
        &self,
        work: Pin<&mut impl Future<Output = Result<T, CallError>>>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            result = work => result,
            error = broken_off(self.deadline, &self.bridge.stopping) => Err(error),
        }
    }
}

/// Waits for what ends a call from outside.
async fn broken_off(deadline: Option<Instant>, stopping: &CancellationToken) -> CallError {
    let over = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => CallError::DeadlineExceeded,
        () = stopping.cancelled() => CallError::Stopping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of thousands of calls that wait, this is most of what they take.
    #[test]
    fn the_future_of_a_call_is_small() {
        fn size<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(serve) < 3 * 1024, "{}", size(serve));
    }
}
