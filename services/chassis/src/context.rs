//! The context that a call passes on to the calls made for it: its deadline and its trace headers.

use std::{error::Error, future::Future, time::Duration};

use grpc_wire::trace::{self, REQUEST_ID};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tonic::{Code, Extensions, Request, Response, Status, TimeoutExpired, metadata::MetadataMap};

/// The headers that are propagated, with all their values.
pub(crate) const TRACE_HEADERS: [&str; 11] = [
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
    "x-ot-span-context",
    "traceparent",
    "tracestate",
    "baggage",
];

/// The deadline and the trace headers of a call.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    deadline: Option<Instant>,
    headers: HeaderMap,
}

impl CallContext {
    /// Takes the trace headers from a request. The context has no deadline yet.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut context = Self::default();
        for name in TRACE_HEADERS {
            for value in headers.get_all(name) {
                context
                    .headers
                    .append(HeaderName::from_static(name), value.clone());
            }
        }
        context
    }

    /// Returns the context of the call being served, which `observe` has attached to the request.
    pub fn of<T>(request: &Request<T>) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_default()
    }

    /// Moves the deadline to `time` from now if that is earlier.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        let deadline = Instant::now().checked_add(time);
        self.deadline = match (self.deadline, deadline) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        };
        self
    }

    /// Sets the request id if the request has none.
    #[must_use]
    pub fn or_request_id(mut self, id: HeaderValue) -> Self {
        self.headers.entry(REQUEST_ID).or_insert(id);
        self
    }

    /// The deadline, if the call has one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits for a future; `None` if the deadline expires first.
    pub async fn in_time<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        match self.deadline {
            None => Some(future.await),
            Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        }
    }

    /// The trace headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The request's id, cut to the length for logs.
    pub fn request_id(&self) -> Option<&str> {
        trace::request_id(&self.headers)
    }

    /// The trace's id, in any supported format, cut to the length for logs.
    pub fn trace_id(&self) -> Option<&str> {
        trace::trace_id(&self.headers)
    }

    /// Makes a call with the remaining time and the trace headers.
    ///
    /// # Errors
    ///
    /// The peer's status, unchanged; DEADLINE_EXCEEDED if the deadline has expired, whichever side noticed first;
    /// UNAVAILABLE if the peer is unreachable.
    pub async fn call<M, R, F>(
        &self,
        message: M,
        call: impl FnOnce(Request<M>) -> F,
    ) -> Result<R, Status>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let metadata = MetadataMap::from_headers(self.headers.clone());
        let mut request = Request::from_parts(metadata, Extensions::default(), message);
        let answer = match self.deadline {
            None => call(request).await,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(deadline_exceeded());
                }
                request.set_timeout(left);
                tokio::time::timeout_at(deadline, call(request))
                    .await
                    .unwrap_or_else(|_| Err(deadline_exceeded()))
            }
        };
        match answer {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(self.settle(status)),
        }
    }

    /// Drops the metadata of the peer's status, which belongs to that call alone, and maps tonic's own errors.
    fn settle(&self, status: Status) -> Status {
        let late = self.deadline.is_some_and(|at| at <= Instant::now());
        // tonic reports an expired deadline as CANCELLED, in the client and in the server.
        if status.code() == Code::Cancelled && (late || is_timeout(&status)) {
            return deadline_exceeded();
        }
        // Only a status that no peer sent has a source. tonic reports an aborted call as INTERNAL, and a call whose
        // connection closed before it was sent as CANCELLED.
        if let Some(source) = status.source()
            && matches!(
                status.code(),
                Code::Cancelled | Code::Internal | Code::Unknown | Code::Unavailable
            )
        {
            tracing::warn!(
                error = %chain(source),
                request_id = self.request_id(),
                trace_id = self.trace_id(),
                "peer unreachable"
            );
            return Status::unavailable("peer unreachable");
        }
        let details = status.details().to_vec().into();
        Status::with_details(status.code(), status.message(), details)
    }
}

/// The status of a call whose deadline has expired.
pub(crate) fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("deadline exceeded")
}

fn is_timeout(status: &Status) -> bool {
    let source = status.source();
    std::iter::successors(source, |&error| error.source()).any(|error| error.is::<TimeoutExpired>())
}

fn chain(error: &dyn Error) -> String {
    let all: Vec<String> = std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    all.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[tokio::test]
    async fn only_trace_headers_are_propagated_with_all_values() {
        let mut from = headers(&[("traceparent", "00-1-2-01"), ("cookie", "secret")]);
        from.append("baggage", HeaderValue::from_static("a=1"));
        from.append("baggage", HeaderValue::from_static("b=2"));
        let context = CallContext::from_headers(&from);
        context
            .call((), async |request: Request<()>| {
                let sent = request.metadata().clone().into_headers();
                let baggage: Vec<_> = sent.get_all("baggage").iter().collect();
                assert_eq!(baggage, ["a=1", "b=2"]);
                assert_eq!(sent.len(), 3);
                Ok(Response::new(()))
            })
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_call_ends_at_the_deadline() {
        let context = CallContext::default().within(Duration::from_secs(3));
        let started = Instant::now();
        let status = context
            .call((), |_| {
                std::future::pending::<Result<Response<()>, Status>>()
            })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(started.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_after_the_deadline_is_not_made() {
        let context = CallContext::default().within(Duration::ZERO);
        let status = context
            .call((), async |_| -> Result<Response<()>, Status> {
                unreachable!("the call was made")
            })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn the_status_of_the_peer_is_passed_on_unchanged() {
        let mut sent = Status::with_details(Code::ResourceExhausted, "full", vec![1, 2, 3].into());
        sent.metadata_mut()
            .insert("server", "envoy".parse().unwrap());
        let status = CallContext::default()
            .call((), async |_| Err::<Response<()>, _>(sent))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "full");
        assert_eq!(status.details(), [1, 2, 3]);
        assert!(status.metadata().is_empty());
    }

    #[test]
    fn an_unrepresentable_time_sets_no_deadline() {
        let context = CallContext::default().within(Duration::MAX);
        assert_eq!(context.deadline(), None);
    }
}
