//! The metrics of a gRPC server, with the names of go-grpc-prometheus, which dashboards use.
//!
//! Clients choose the path of a call, so only known methods become labels; all others share `unknown`.

use grpc_wire::{
    method::{CallKind, Method},
    status::label,
};
use prometheus::{
    HistogramVec, IntCounter, IntCounterVec, Registry, register_histogram_vec_with_registry,
    register_int_counter_vec_with_registry,
};
use tonic::Code;

pub(crate) const HEALTH: &str = "grpc.health.v1.Health";
/// The label of all unknown methods and paths.
pub const UNKNOWN: &str = "unknown";
const LABELS: [&str; 3] = ["grpc_type", "grpc_service", "grpc_method"];
const LABELS_WITH_CODE: [&str; 4] = ["grpc_type", "grpc_service", "grpc_method", "grpc_code"];
const LAST_CODE: i32 = 16;

/// The labels of a method that this server implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MethodLabels {
    pub(crate) kind: CallKind,
    /// The full name, such as `user.UserService`.
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
}

impl MethodLabels {
    pub(crate) const fn unary(service: &'static str, name: &'static str) -> Self {
        Self {
            kind: CallKind::Unary,
            service,
            name,
        }
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.service == HEALTH
    }

    fn values(&self) -> [&'static str; 3] {
        [self.kind.name(), self.service, self.name]
    }
}

/// Counts the calls of the known methods.
#[derive(Debug)]
pub(crate) struct GrpcMetrics {
    methods: Vec<MethodLabels>,
    started: IntCounterVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    handled: IntCounterVec,
    seconds: HistogramVec,
}

impl GrpcMetrics {
    /// Every counter begins at zero for every method, so that the first failure is visible as an increase.
    pub(crate) fn new(
        registry: &Registry,
        methods: Vec<MethodLabels>,
    ) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            methods,
            started: register_int_counter_vec_with_registry!(
                "grpc_server_started_total",
                "Calls that began.",
                &LABELS,
                registry
            )?,
            received: register_int_counter_vec_with_registry!(
                "grpc_server_msg_received_total",
                "Messages from clients.",
                &LABELS,
                registry
            )?,
            sent: register_int_counter_vec_with_registry!(
                "grpc_server_msg_sent_total",
                "Messages to clients.",
                &LABELS,
                registry
            )?,
            handled: register_int_counter_vec_with_registry!(
                "grpc_server_handled_total",
                "Calls that ended, by status.",
                &LABELS_WITH_CODE,
                registry
            )?,
            seconds: register_histogram_vec_with_registry!(
                "grpc_server_handling_seconds",
                "Seconds from the start of a call to its status.",
                &LABELS,
                registry
            )?,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    pub(crate) fn method(&self, path: &str) -> MethodLabels {
        let called = Method::parse(path).ok();
        let found = called.and_then(|called| {
            let mut methods = self.methods.iter();
            methods.find(|method| method.service == called.service && method.name == called.name)
        });
        found
            .copied()
            .unwrap_or(MethodLabels::unary(UNKNOWN, UNKNOWN))
    }

    pub(crate) fn started(&self, method: MethodLabels) {
        self.started.with_label_values(&method.values()).inc();
    }

    pub(crate) fn received(&self, method: MethodLabels) -> IntCounter {
        self.received.with_label_values(&method.values())
    }

    pub(crate) fn sent(&self, method: MethodLabels) -> IntCounter {
        self.sent.with_label_values(&method.values())
    }

    pub(crate) fn handled(&self, method: MethodLabels, code: Code, seconds: f64) {
        self.handled_with(method, code).inc();
        self.seconds
            .with_label_values(&method.values())
            .observe(seconds);
    }

    fn handled_with(&self, method: MethodLabels, code: Code) -> IntCounter {
        let [kind, service, name] = method.values();
        self.handled
            .with_label_values(&[kind, service, name, label(code)])
    }

    fn begin_at_zero(&self) {
        for &method in &self.methods {
            self.started.with_label_values(&method.values());
            self.received(method);
            self.sent(method);
            self.seconds.with_label_values(&method.values());
            for code in 0..=LAST_CODE {
                self.handled_with(method, Code::from_i32(code));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_grow_the_set_of_labels() {
        let known = MethodLabels::unary("user.UserService", "GetUser");
        let metrics = GrpcMetrics::new(&Registry::new(), vec![known]).unwrap();
        assert_eq!(metrics.method("/user.UserService/GetUser"), known);
        for path in [
            "",
            "/",
            "/user.UserService",
            "/user.UserService/getuser",
            "/user.UserService/GetUser/x",
            "x/user.UserService/GetUser",
            "/order.OrderService/GetUser",
        ] {
            let method = metrics.method(path);
            assert_eq!((method.service, method.name), (UNKNOWN, UNKNOWN), "{path}");
        }
    }
}
