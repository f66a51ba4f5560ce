//! All metrics of the proxy itself.

use prometheus::{IntCounter, Registry, TextEncoder};

use super::calls::CallMetrics;
use super::clients::ClientMetrics;
use super::dialects::DialectMetrics;
use super::exchanges::ExchangeMetrics;
use super::load_reports::LoadReportMetrics;
use super::pool::PoolMetrics;
use super::resident::ResidentMetrics;
use super::spans::SpanMetrics;
use super::tls::TlsMetrics;

/// The registry, and the metrics in it.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) calls: CallMetrics,
    pub(crate) clients: ClientMetrics,
    pub(crate) dialects: DialectMetrics,
    pub(crate) exchanges: ExchangeMetrics,
    pub(crate) pool: PoolMetrics,
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        Ok(Self {
            calls: CallMetrics::register(&registry)?,
            clients: ClientMetrics::register(&registry)?,
            dialects: DialectMetrics::register(&registry)?,
            exchanges: ExchangeMetrics::register(&registry)?,
            pool: PoolMetrics::register(&registry)?,
            registry,
        })
    }

    /// Those of TLS, if it is served.
    pub(crate) fn tls(&self) -> prometheus::Result<TlsMetrics> {
        TlsMetrics::register(&self.registry)
    }

    /// Those of resident workers, if there are any.
    pub(crate) fn resident(&self) -> prometheus::Result<ResidentMetrics> {
        ResidentMetrics::register(&self.registry)
    }

    /// Those of spans, if they are sent.
    pub(crate) fn spans(&self) -> prometheus::Result<SpanMetrics> {
        SpanMetrics::register(&self.registry)
    }

    /// That of load reports, if the proxy makes its own.
    pub(crate) fn load_reports(&self) -> prometheus::Result<LoadReportMetrics> {
        LoadReportMetrics::register(&self.registry)
    }

    /// Adds a counter that exists already.
    pub(crate) fn register(&self, counter: IntCounter) -> prometheus::Result<()> {
        self.registry.register(Box::new(counter))
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
