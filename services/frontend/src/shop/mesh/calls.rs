//! The calls of one app to another, as the caller's Envoy counts them: by their HTTP status, and those by gRPC by the status
//! of gRPC as well. A call that fails by gRPC has the HTTP status 200, unless Envoy itself refuses it.

/// The statuses of gRPC that are failures of the server, as in deploy/prometheus/recording.yaml.
pub(super) const FAILURES: [&str; 6] = ["2", "4", "8", "13", "14", "15"];
/// Its Envoy translates calls to gRPC, so what it refuses itself has an HTTP status only. Other Envoys count their own
/// refusal of a call by gRPC by both statuses.
const TRANSLATOR: &str = "ingress";

/// Numbers of calls, or calls per second. Tries that were repeated do not count.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Calls {
    pub(super) http: f64,
    pub(super) http_failed: f64,
    pub(super) grpc: f64,
    pub(super) grpc_failed: f64,
}

impl Calls {
    /// Those by gRPC are among those of HTTP, except for one whose deadline has ended without a response.
    pub(super) fn all(&self) -> f64 {
        self.http.max(self.grpc)
    }

    /// The fraction that failed, from 0 to 1; `None` without calls.
    pub(super) fn error_ratio(&self, caller: &str) -> Option<f64> {
        let failed = if caller == TRANSLATOR {
            self.http_failed + self.grpc_failed
        } else {
            self.http_failed.max(self.grpc_failed)
        };
        let all = self.all();
        (all > 0.0).then(|| (failed / all).clamp(0.0, 1.0))
    }

    pub(super) fn since(&self, past: &Self) -> Self {
        Self {
            http: self.http - past.http,
            http_failed: self.http_failed - past.http_failed,
            grpc: self.grpc - past.grpc,
            grpc_failed: self.grpc_failed - past.grpc_failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Calls = Calls {
        http: 0.0,
        http_failed: 0.0,
        grpc: 0.0,
        grpc_failed: 0.0,
    };

    #[test]
    fn a_call_that_fails_by_grpc_is_an_error() {
        let calls = Calls {
            http: 4.0,
            grpc: 4.0,
            grpc_failed: 1.0,
            ..NONE
        };
        for caller in ["frontend", "ingress"] {
            assert_eq!(calls.error_ratio(caller), Some(0.25), "{caller}");
        }
    }

    #[test]
    fn a_failure_of_http_is_an_error() {
        let calls = Calls {
            http: 4.0,
            http_failed: 1.0,
            ..NONE
        };
        for caller in ["frontend", "ingress"] {
            assert_eq!(calls.error_ratio(caller), Some(0.25), "{caller}");
        }
    }

    #[test]
    fn a_call_that_envoy_refuses_counts_once() {
        let by_both = Calls {
            http: 4.0,
            http_failed: 1.0,
            grpc: 4.0,
            grpc_failed: 2.0,
        };
        assert_eq!(by_both.error_ratio("frontend"), Some(0.5));
        // One refused by ingress, one of the other three failed by the app.
        let by_one = Calls {
            http: 4.0,
            http_failed: 1.0,
            grpc: 3.0,
            grpc_failed: 1.0,
        };
        assert_eq!(by_one.error_ratio("ingress"), Some(0.5));
    }

    #[test]
    fn a_call_without_a_response_before_its_deadline_is_a_call() {
        let calls = Calls {
            grpc: 2.0,
            grpc_failed: 2.0,
            ..NONE
        };
        assert_eq!((calls.all(), calls.error_ratio("order")), (2.0, Some(1.0)));
    }

    #[test]
    fn without_calls_there_is_no_ratio() {
        assert_eq!(NONE.error_ratio("order"), None);
    }
}
