//! Load reports of scripts (ORCA, gRFC A51): what the whole server has, for the proxy, and what a call had, for its client.

use grpc_wire::metadata::decode_base64;
use http::HeaderName;
use prost::Message;

pub(crate) use self::xds::data::orca::v3::OrcaLoadReport;

/// Generated from the contracts.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::too_many_lines,
    reason = "generated"
)]
pub(crate) mod xds {
    pub mod data {
        pub mod orca {
            pub mod v3 {
                tonic::include_proto!("xds.data.orca.v3");
            }
        }
    }
    pub mod service {
        pub mod orca {
            pub mod v3 {
                tonic::include_proto!("xds.service.orca.v3");
            }
        }
    }

    /// The contracts as a FileDescriptorSet.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/orca.binpb"));
}

/// The report of one call, in its trailers. gRFC A51: "The metadata key will be `endpoint-load-metrics-bin`."
pub(crate) const CALL_REPORT: HeaderName = HeaderName::from_static("endpoint-load-metrics-bin");
/// The header field by which a script reports on the whole server. No client gets it.
pub(crate) const SERVER_REPORT: &str = "grpc-server-load-bin";

/// The largest report of the whole server in bytes: the trailers of each call contain it.
const MAX_REPORT: usize = 2048;
/// The most metrics in it that have names.
const MAX_NAMES: usize = 32;

/// A report that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the load report is malformed, too large, or has an invalid figure")]
pub(crate) struct InvalidReport;

/// Reads what a script reports on the whole server.
pub(crate) fn decode_server_report(bytes: &[u8]) -> Result<Box<OrcaLoadReport>, InvalidReport> {
    if bytes.len() > MAX_REPORT {
        return Err(InvalidReport);
    }
    let report = OrcaLoadReport::decode(bytes).map_err(|_| InvalidReport)?;
    let names = report.utilization.len() + report.named_metrics.len();
    // gRFC A51: "For OOB, we only support utilization metrics, not request cost metrics."
    if names > MAX_NAMES || !report.request_cost.is_empty() || !has_valid_figures(&report) {
        return Err(InvalidReport);
    }
    Ok(Box::new(report))
}

/// The same from the value of a header field.
pub(super) fn decode_server_field(value: &[u8]) -> Result<Box<OrcaLoadReport>, InvalidReport> {
    decode_server_report(&decode_base64(value).map_err(|_| InvalidReport)?)
}

/// A client might refuse a report with others.
fn has_valid_figures(report: &OrcaLoadReport) -> bool {
    let part = |value: &f64| (0.0..=1.0).contains(value);
    let amount = |value: &f64| value.is_finite() && *value >= 0.0;
    let amounts = [
        report.cpu_utilization,
        report.application_utilization,
        report.rps_fractional,
        report.eps,
    ];
    amounts.iter().all(amount)
        && part(&report.mem_utilization)
        && report.utilization.values().all(part)
        && report.named_metrics.values().all(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(report: &OrcaLoadReport) -> bool {
        decode_server_report(&report.encode_to_vec()).is_ok()
    }

    fn named(count: usize) -> OrcaLoadReport {
        let names = (0..count).map(|number| (format!("n{number}"), 0.5));
        OrcaLoadReport {
            utilization: names.collect(),
            ..OrcaLoadReport::default()
        }
    }

    #[test]
    fn figures_are_finite_and_in_their_range() {
        let cpu = |cpu_utilization| OrcaLoadReport {
            cpu_utilization,
            ..OrcaLoadReport::default()
        };
        assert!(accepts(&cpu(2.5)));
        for value in [f64::NAN, f64::INFINITY, -0.1] {
            assert!(!accepts(&cpu(value)), "{value}");
        }
        let memory = OrcaLoadReport {
            mem_utilization: 1.1,
            ..OrcaLoadReport::default()
        };
        assert!(!accepts(&memory));
        let mut utilization = named(1);
        utilization.utilization.insert("n".to_owned(), 1.1);
        assert!(!accepts(&utilization));
        let mut metric = OrcaLoadReport::default();
        metric.named_metrics.insert("n".to_owned(), -5.0);
        assert!(accepts(&metric));
    }

    #[test]
    fn names_and_bytes_are_bounded() {
        assert!(accepts(&named(MAX_NAMES)));
        assert!(!accepts(&named(MAX_NAMES + 1)));
        let mut long = OrcaLoadReport::default();
        long.named_metrics.insert("n".repeat(MAX_REPORT), 1.0);
        assert!(!accepts(&long));
    }

    #[test]
    fn the_server_has_no_request_costs() {
        let mut report = OrcaLoadReport::default();
        report.request_cost.insert("cost".to_owned(), 1.0);
        assert!(!accepts(&report));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert_eq!(decode_server_report(b"\xff"), Err(InvalidReport));
        assert_eq!(decode_server_field(b"a"), Err(InvalidReport));
        assert_eq!(decode_server_field(b""), Ok(Box::default()));
    }
}
