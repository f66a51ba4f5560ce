//! Calls by the protocol and the codec of their clients, so a client can add no label.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::binding::dialect::{ClientCodec, ClientProtocol, Dialect};

/// A counter for each dialect: for each protocol, one for each codec.
#[derive(Debug)]
pub(crate) struct DialectMetrics(Vec<IntCounter>);

impl DialectMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let calls = IntCounterVec::new(
            Opts::new(
                "grpc_server_protocol_calls_total",
                "Calls that began, by the protocol of the client and the codec of its messages.",
            ),
            &["protocol", "codec"],
        )?;
        registry.register(Box::new(calls.clone()))?;
        let dialects = ClientProtocol::ALL
            .iter()
            .flat_map(|protocol| ClientCodec::ALL.map(|codec| [protocol.name(), codec.name()]));
        let counters = dialects.map(|labels| calls.get_metric_with_label_values(&labels));
        Ok(Self(counters.collect::<prometheus::Result<_>>()?))
    }

    pub(crate) fn count(&self, Dialect { protocol, codec }: Dialect) {
        let at = protocol as usize * ClientCodec::ALL.len() + codec as usize;
        if let Some(counter) = self.0.get(at) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn each_dialect_has_a_counter_of_its_own() {
        let registry = Registry::new();
        let metrics = DialectMetrics::register(&registry).unwrap();
        for protocol in ClientProtocol::ALL {
            for codec in ClientCodec::ALL {
                metrics.count(Dialect { protocol, codec });
            }
        }
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 12);
        assert!(lines.iter().all(|line| line.ends_with("} 1")), "{text}");
    }
}
