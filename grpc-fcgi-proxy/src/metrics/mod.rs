//! Metric names, and the values of one call.
//!
//! The `grpc_server_` names are those of go-grpc-prometheus, which dashboards already use. A method has labels of
//! its own only after the application has shown that it knows the method, and only so many have: otherwise the
//! label is `unknown`, so that no client can grow the set without a bound.

mod clients;
mod exchanges;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use tokio::time::Instant;

pub use self::clients::ClientMetrics;
pub use self::exchanges::{ExchangeMetrics, Outcome};
use crate::fastcgi::target::Target;
use grpc_wire::method::{CallKind, Method};
use grpc_wire::status::{self, Code};

/// More methods than this share the label `unknown`.
const MAX_METHODS: usize = 500;
/// The label of a method that is not known.
const UNKNOWN: &str = "unknown";
/// The bounds of go-grpc-prometheus, in seconds.
const BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const CODES: usize = 17;

/// All metrics of the proxy.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Families,
    methods: RwLock<HashMap<String, Arc<MethodMetrics>>>,
    unknown: Arc<MethodMetrics>,
    /// What the pool counts.
    pub pool: PoolMetrics,
    /// What clients take up.
    pub clients: ClientMetrics,
    /// What exchanges count.
    pub exchanges: ExchangeMetrics,
}

/// Of the places in which calls run, and their connections.
#[derive(Clone, Debug)]
pub struct PoolMetrics {
    /// Calls that wait for a place.
    pub waiting: IntGauge,
    /// Exchanges with php-fpm that run, the abandoned ones too.
    pub running: IntGauge,
    /// Those that nobody waits for any more, while a worker is busy with them.
    pub abandoned: IntGauge,
    /// Open connections to php-fpm, for calls.
    pub connections: IntGauge,
    /// Bytes to php-fpm.
    pub sent: IntCounter,
    /// Bytes from php-fpm.
    pub received: IntCounter,
    /// Seconds until a call has its place, and its connection.
    pub wait_seconds: Histogram,
    targets: IntGaugeVec,
}

impl PoolMetrics {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let bytes = IntCounterVec::new(
            Opts::new(
                "fcgi_bytes_total",
                "Bytes of FastCGI to php-fpm (sent) and from it (received), for calls.",
            ),
            &["direction"],
        )?;
        let targets = IntGaugeVec::new(
            Opts::new(
                "fcgi_target_up",
                "Whether a php-fpm gets calls (1), or is left out until it can be connected to (0).",
            ),
            &["target"],
        )?;
        let wait_seconds = histogram(
            "fcgi_wait_seconds",
            "Seconds until a call has a connection to php-fpm.",
        )?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(targets.clone()))?;
        registry.register(Box::new(wait_seconds.clone()))?;
        Ok(Self {
            waiting: gauge("fcgi_calls_waiting", "Calls that wait for a free exchange.")?,
            running: gauge(
                "fcgi_exchanges_running",
                "Exchanges with php-fpm that run, the abandoned ones too.",
            )?,
            abandoned: gauge(
                "fcgi_exchanges_abandoned",
                "Exchanges that no client waits for any more, while php-fpm still has a worker busy with them.",
            )?,
            connections: gauge(
                "fcgi_connections_open",
                "Open connections to php-fpm, for calls.",
            )?,
            sent: bytes.get_metric_with_label_values(&["sent"])?,
            received: bytes.get_metric_with_label_values(&["received"])?,
            wait_seconds,
            targets,
        })
    }

    /// Whether this target gets calls.
    #[must_use]
    pub fn target_up(&self, target: &Target) -> IntGauge {
        self.targets.with_label_values(&[&target.to_string()])
    }
}

/// Counts while it lives.
#[derive(Debug)]
pub struct Increment(IntGauge);

impl Increment {
    /// Counts one more from now on.
    #[must_use]
    pub fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }

    /// How many there are, this one too.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.0.get()
    }
}

impl Drop for Increment {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn histogram(name: &str, help: &str) -> prometheus::Result<Histogram> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()))
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

impl Metrics {
    /// Registers every name.
    ///
    /// # Errors
    ///
    /// If a name is taken or invalid.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let families = Families::register(&registry)?;
        let pool = PoolMetrics::register(&registry)?;
        let clients = ClientMetrics::register(&registry)?;
        let exchanges = ExchangeMetrics::register(&registry)?;
        let unknown = Arc::new(families.method(CallKind::Unary, UNKNOWN, UNKNOWN)?);
        Ok(Self {
            registry,
            families,
            methods: RwLock::default(),
            unknown,
            pool,
            clients,
            exchanges,
        })
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// If a metric can't be written.
    pub fn render(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Begins to count a call of the method at `path`.
    #[must_use]
    pub fn begin(&self, path: &str, kind: CallKind) -> CallMetrics {
        let known = self
            .methods
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned();
        if let Some(method) = &known {
            method.started.inc();
        }
        CallMetrics {
            method: known,
            kind,
            start: Instant::now(),
            received: 0,
            sent: 0,
        }
    }

    /// Counts the end of a call. `answered`: the application itself gave the status.
    pub fn end(&self, call: &CallMetrics, method: Option<Method<'_>>, code: Code, answered: bool) {
        let metrics = call.method.clone().unwrap_or_else(|| {
            let shown = answered && code != Code::Unimplemented;
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
    }

    fn learn(&self, method: Method<'_>, kind: CallKind) -> Option<Arc<MethodMetrics>> {
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = methods.get(method.path) {
            return Some(Arc::clone(known));
        }
        if methods.len() >= MAX_METHODS {
            return None;
        }
        let metrics = Arc::new(
            self.families
                .method(kind, method.service, method.name)
                .ok()?,
        );
        methods.insert(method.path.to_owned(), Arc::clone(&metrics));
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
            Opts::new(
                "grpc_server_handled_total",
                "Calls that ended, by their status.",
            ),
            &["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
        )?;
        registry.register(Box::new(handled.clone()))?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "grpc_server_handling_seconds",
                "Seconds from a call's start to its status.",
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

/// What one call counts.
#[derive(Debug)]
pub struct CallMetrics {
    method: Option<Arc<MethodMetrics>>,
    kind: CallKind,
    /// When the call began.
    pub start: Instant,
    /// Messages from the client.
    pub received: u64,
    /// Messages to the client.
    pub sent: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(metrics: &Metrics, path: &str, code: Code, answered: bool) {
        let call = metrics.begin(path, CallKind::Unary);
        metrics.end(&call, Method::parse(path).ok(), code, answered);
    }

    #[test]
    fn a_client_cannot_grow_the_labels() {
        let metrics = Metrics::new().unwrap();
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
        assert_eq!(metrics.methods.read().unwrap().len(), 0);
        assert_eq!(metrics.unknown.started.get(), 20);
        for n in 0..MAX_METHODS + 10 {
            call(&metrics, &format!("/a.B/Known{n}"), Code::Ok, true);
        }
        assert_eq!(metrics.methods.read().unwrap().len(), MAX_METHODS);
        assert_eq!(metrics.unknown.started.get(), 30);
    }

    #[test]
    fn a_method_counts_from_its_first_call_on() {
        let metrics = Metrics::new().unwrap();
        call(&metrics, "/a.B/C", Code::NotFound, true);
        call(&metrics, "/a.B/C", Code::Ok, true);
        let text = metrics.render().unwrap();
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
