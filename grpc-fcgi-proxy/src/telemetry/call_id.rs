//! What the log names a call by: the path of its method, and its ids.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use grpc_wire::trace;
use http::HeaderMap;

/// The names of a call, shared by all that report on it.
#[derive(Clone, Debug)]
pub(crate) struct CallId(Arc<Names>);

#[derive(Debug)]
struct Names {
    path: Box<str>,
    request: Box<str>,
    trace: Option<Box<str>>,
}

impl CallId {
    /// `own_trace` is the id of the trace of the call's own span, if it has one.
    pub(crate) fn of(path: &str, headers: &HeaderMap, own_trace: Option<String>) -> Self {
        let own = || format!("{:016x}", next_id()).into();
        let trace = match own_trace {
            Some(trace) => Some(trace.into()),
            None => trace::trace_id(headers).map(Box::from),
        };
        Self(Arc::new(Names {
            path: path.into(),
            request: trace::request_id(headers).map_or_else(own, Box::from),
            trace,
        }))
    }

    /// The path of the request. A client may have made it up.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// The client's `x-request-id`, or a generated id.
    pub(crate) fn request(&self) -> &str {
        &self.0.request
    }

    /// The id of the trace.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.0.trace.as_deref()
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
        let [first, second] = [(); 2].map(|()| CallId::of("/a.B/C", &headers, None));
        assert_eq!(first.request().len(), 16);
        assert_ne!(first.request(), second.request());
    }
}
