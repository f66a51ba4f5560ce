//! Calls by method and status, under the names of go-grpc-prometheus, which dashboards already use.
//!
//! A client chooses the path of a call, so it could grow the set of labels without a bound. A method of a
//! descriptor set has labels of its own from the start. Any other method has them only after the application has shown that
//! it implements the method, up to a maximum; every other call counts as `unknown`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use grpc_wire::method::{CallKind, Method};
use grpc_wire::status::{self, Code};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
};
use tokio::time::Instant;

use super::histogram::BUCKETS;

/// How many methods outside descriptor sets have labels of their own; all others share the label `unknown`.
const MAX_METHODS: usize = 500;
/// The label of every method without labels of its own.
const UNKNOWN: &str = "unknown";
const CODES: usize = 17;

/// The metrics of all methods.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    families: Families,
    methods: RwLock<Methods>,
    unknown: Arc<MethodMetrics>,
}

#[derive(Debug, Default)]
struct Methods {
    by_path: HashMap<String, Arc<MethodMetrics>>,
    /// How many of them a client could have made up, if the application answers any path.
    learned: usize,
}

#[derive(Debug)]
struct Families {
    started: IntCounterVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    handled: IntCounterVec,
    seconds: HistogramVec,
}

/// The metrics of one method, looked up once.
#[derive(Debug)]
struct MethodMetrics {
    started: IntCounter,
    received: IntCounter,
    sent: IntCounter,
    handled: Vec<IntCounter>,
    seconds: Histogram,
}

impl CallMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let families = Families::register(registry)?;
        let unknown = Arc::new(families.method(CallKind::Unary, UNKNOWN, UNKNOWN)?);
        Ok(Self {
            families,
            methods: RwLock::default(),
            unknown,
        })
    }

    /// Gives a method labels from the start, so that no other method can take them.
    pub(crate) fn declare(&self, path: &str, kind: CallKind) -> prometheus::Result<()> {
        if let Ok(method) = Method::parse(path) {
            let metrics = self.families.method(kind, method.service, method.name)?;
            let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
            methods.by_path.insert(path.to_owned(), Arc::new(metrics));
        }
        Ok(())
    }

    /// Begins to count a call of the method at `path`.
    pub(crate) fn begin(&self, path: &str, kind: CallKind) -> CallCounts {
        let known = self
            .methods
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_path
            .get(path)
            .cloned();
        if let Some(method) = &known {
            method.started.inc();
        }
        CallCounts {
            method: known,
            kind,
            start: Instant::now(),
            received: 0,
            sent: 0,
        }
    }

    /// Counts the end of a call. `known` means that the service itself sent the status, so that
    /// the method exists unless the code is UNIMPLEMENTED. Returns whether the method has labels of its own.
    pub(crate) fn end(
        &self,
        call: &CallCounts,
        method: Option<Method<'_>>,
        code: Code,
        known: bool,
    ) -> bool {
        let metrics = call.method.clone().unwrap_or_else(|| {
            let shown = known && code != Code::Unimplemented;
            let metrics = method
                .filter(|_| shown)
                .and_then(|method| self.learn(method, call.kind));
            let metrics = metrics.unwrap_or_else(|| Arc::clone(&self.unknown));
            metrics.started.inc();
            metrics
        });
        metrics.received.inc_by(call.received);
        metrics.sent.inc_by(call.sent);
        metrics.seconds.observe(call.start.elapsed().as_secs_f64());
        if let Some(handled) = metrics.handled.get(code as usize) {
            handled.inc();
        }
        !Arc::ptr_eq(&metrics, &self.unknown)
    }

    fn learn(&self, method: Method<'_>, kind: CallKind) -> Option<Arc<MethodMetrics>> {
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = methods.by_path.get(method.path) {
            return Some(Arc::clone(known));
        }
        if methods.learned >= MAX_METHODS {
            return None;
        }
        let metrics = Arc::new(
            self.families
                .method(kind, method.service, method.name)
                .ok()?,
        );
        methods.learned += 1;
        let path = method.path.to_owned();
        methods.by_path.insert(path, Arc::clone(&metrics));
        Some(metrics)
    }
}

impl Families {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let labels = ["grpc_type", "grpc_service", "grpc_method"];
        let counter = |name, help| -> prometheus::Result<IntCounterVec> {
            let counter = IntCounterVec::new(Opts::new(name, help), &labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let handled = IntCounterVec::new(
            Opts::new("grpc_server_handled_total", "Calls that ended, by status."),
            &["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
        )?;
        registry.register(Box::new(handled.clone()))?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "grpc_server_handling_seconds",
                "Seconds from the start of a call to its status.",
            )
            .buckets(BUCKETS.to_vec()),
            &labels,
        )?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self {
            started: counter("grpc_server_started_total", "Calls that began.")?,
            received: counter("grpc_server_msg_received_total", "Messages from clients.")?,
            sent: counter("grpc_server_msg_sent_total", "Messages to clients.")?,
            handled,
            seconds,
        })
    }

    fn method(
        &self,
        kind: CallKind,
        service: &str,
        method: &str,
    ) -> prometheus::Result<MethodMetrics> {
        let labels = [kind.name(), service, method];
        let handled = (0i32..).take(CODES).map(|code| {
            let code = status::label(Code::from(code));
            self.handled
                .get_metric_with_label_values(&[kind.name(), service, method, code])
        });
        Ok(MethodMetrics {
            started: self.started.get_metric_with_label_values(&labels)?,
            received: self.received.get_metric_with_label_values(&labels)?,
            sent: self.sent.get_metric_with_label_values(&labels)?,
            handled: handled.collect::<prometheus::Result<_>>()?,
            seconds: self.seconds.get_metric_with_label_values(&labels)?,
        })
    }
}

/// The counts of one call.
#[derive(Debug)]
pub(crate) struct CallCounts {
    method: Option<Arc<MethodMetrics>>,
    kind: CallKind,
    pub(crate) start: Instant,
    /// Messages from the client.
    pub(crate) received: u64,
    /// Messages to the client.
    pub(crate) sent: u64,
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    fn call(metrics: &CallMetrics, path: &str, code: Code, known: bool) {
        let call = metrics.begin(path, CallKind::Unary);
        metrics.end(&call, Method::parse(path).ok(), code, known);
    }

    #[test]
    fn a_client_cannot_grow_the_labels() {
        let metrics = CallMetrics::register(&Registry::new()).unwrap();
        for n in 0..10 {
            call(
                &metrics,
                &format!("/a.B/Unheard{n}"),
                Code::Unimplemented,
                true,
            );
            call(
                &metrics,
                &format!("/a.B/Failed{n}"),
                Code::Unavailable,
                false,
            );
        }
        assert_eq!(metrics.methods.read().unwrap().by_path.len(), 0);
        assert_eq!(metrics.unknown.started.get(), 20);
        for n in 0..MAX_METHODS + 10 {
            call(&metrics, &format!("/a.B/Known{n}"), Code::Ok, true);
        }
        assert_eq!(metrics.methods.read().unwrap().by_path.len(), MAX_METHODS);
        assert_eq!(metrics.unknown.started.get(), 30);
    }

    #[test]
    fn made_up_methods_cannot_take_the_labels_of_declared_ones() {
        let metrics = CallMetrics::register(&Registry::new()).unwrap();
        metrics.declare("/a.B/Declared", CallKind::Unary).unwrap();
        for n in 0..MAX_METHODS + 10 {
            call(&metrics, &format!("/a.B/MadeUp{n}"), Code::Ok, true);
        }
        assert_eq!(metrics.unknown.started.get(), 10);
        // Even a call that failed before any answer.
        call(&metrics, "/a.B/Declared", Code::Unavailable, false);
        assert_eq!(metrics.unknown.started.get(), 10);
    }

    #[test]
    fn a_method_counts_from_its_first_call_on() {
        let registry = Registry::new();
        let metrics = CallMetrics::register(&registry).unwrap();
        call(&metrics, "/a.B/C", Code::NotFound, true);
        call(&metrics, "/a.B/C", Code::Ok, true);
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let labels = r#"grpc_method="C",grpc_service="a.B",grpc_type="unary""#;
        for line in [
            format!("grpc_server_started_total{{{labels}}} 2"),
            format!("grpc_server_handled_total{{grpc_code=\"NotFound\",{labels}}} 1"),
            format!("grpc_server_handling_seconds_count{{{labels}}} 2"),
        ] {
            assert!(text.contains(&line), "{line} is not in {text}");
        }
    }
}
