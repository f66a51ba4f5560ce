//! The ids by which the log names a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use grpc_wire::trace;
use http::HeaderMap;

/// The ids of a call.
#[derive(Clone, Debug)]
pub(crate) struct CallId {
    request: Arc<str>,
    trace: Option<Arc<str>>,
}

impl CallId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let own = || format!("{:016x}", next_id()).into();
        Self {
            request: trace::request_id(headers).map_or_else(own, Arc::from),
            trace: trace::trace_id(headers).map(Arc::from),
        }
    }

    /// The client's `x-request-id`, or a generated id.
    pub(crate) fn request(&self) -> &str {
        &self.request
    }

    /// The id of the client's trace.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}

/// Counts up from the time of the first call, so that two runs of the proxy are unlikely to share an id.
fn next_id() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        AtomicU64::new(u64::try_from(since.as_micros()).unwrap_or_default())
    });
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_id_gets_a_generated_one() {
        let headers = HeaderMap::new();
        let (first, second) = (CallId::of(&headers), CallId::of(&headers));
        assert_eq!(first.request().len(), 16);
        assert_ne!(first.request(), second.request());
    }
}
