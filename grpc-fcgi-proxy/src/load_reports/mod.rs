//! The server's load, for clients that balance by it: ORCA, gRFC A51.
//!
//! `averages` is the proxy's own figures, `sampler` reads the pool for them. What scripts report on the server goes before.
//! `call/load_report.rs` adds the report to the trailers of calls, `builtin/load_reports.rs` serves it out of band.

mod averages;
mod sampler;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use grpc_wire::metadata::{decode_base64, encode_base64};
use http::HeaderValue;
use prost::Message;

use self::averages::Averages;
pub(crate) use self::sampler::Sampler;
use crate::binding::load_report::OrcaLoadReport;

/// The load of the server.
#[derive(Debug)]
pub(crate) struct LoadReports {
    /// The shortest time between two reports out of band.
    pub(crate) min_interval: Duration,
    /// Calls that have ended since the last sample.
    calls: AtomicU64,
    /// Those that failed because of the server.
    errors: AtomicU64,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The proxy's own figures; none if only scripts report.
    own: Averages,
    /// What scripts last reported on the server.
    scripts: OrcaLoadReport,
    /// Both.
    merged: OrcaLoadReport,
    /// For a call whose script reports nothing.
    trailer: Option<HeaderValue>,
}

impl LoadReports {
    /// Without a figure, as yet.
    pub(crate) fn new(min_interval: Duration) -> Self {
        Self {
            min_interval,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            state: RwLock::default(),
        }
    }

    /// Counts a call that has ended.
    pub(crate) fn count(&self, is_error: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(is_error.into(), Ordering::Relaxed);
    }

    /// Adds a sample to the proxy's own figures; returns the average utilization.
    fn sample(&self, utilization: f64, calls: u32, errors: u32, since: Duration) -> f64 {
        self.change(|state| {
            state.own.add(utilization, calls, errors, since);
            state.own.utilization()
        })
    }

    /// Replaces what scripts report on the server.
    pub(crate) fn set_scripts(&self, scripts: OrcaLoadReport) {
        self.change(|state| state.scripts = scripts);
    }

    /// The report on the server.
    pub(crate) fn server(&self) -> OrcaLoadReport {
        self.read(|state| state.merged.clone())
    }

    /// The value for the trailers of a call, with what its script reports on the call; `None` leaves that as it is.
    pub(crate) fn of_call(&self, script: Option<&HeaderValue>) -> Option<HeaderValue> {
        match script {
            None => self.read(|state| state.trailer.clone()),
            Some(script) => {
                let script = decode_base64(script.as_bytes()).ok()?;
                let report = OrcaLoadReport::decode(script.as_slice()).ok()?;
                let mut server = self.server();
                if says_utilization(&report) {
                    server.application_utilization = 0.0;
                }
                // Protobuf merges the encodings of two messages behind each other: the last value of a field, or of a name,
                // counts.
                let mut merged = server.encode_to_vec();
                merged.extend_from_slice(&script);
                encode_base64(&merged).ok()
            }
        }
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        state.merge();
        result
    }
}

impl State {
    fn merge(&mut self) {
        let mut merged = self.scripts.clone();
        if !says_utilization(&merged) {
            merged.application_utilization = self.own.utilization();
        }
        for (figure, own) in [
            (&mut merged.rps_fractional, self.own.calls()),
            (&mut merged.eps, self.own.errors()),
        ] {
            if *figure == 0.0 {
                *figure = own;
            }
        }
        let bytes = merged.encode_to_vec();
        self.trailer = match bytes.as_slice() {
            [] => None,
            bytes => encode_base64(bytes).ok(),
        };
        self.merged = merged;
    }
}

/// Clients prefer the application's utilization to that of the CPU: the proxy's own must not outweigh what a script reports.
fn says_utilization(report: &OrcaLoadReport) -> bool {
    report.application_utilization > 0.0 || report.cpu_utilization > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn reports(scripts: OrcaLoadReport) -> LoadReports {
        let reports = LoadReports::new(INTERVAL);
        reports.sample(0.5, 60, 60, Duration::from_secs(60));
        reports.set_scripts(scripts);
        reports
    }

    fn value(report: &OrcaLoadReport) -> HeaderValue {
        encode_base64(&report.encode_to_vec()).unwrap()
    }

    fn decode(value: Option<HeaderValue>) -> OrcaLoadReport {
        let bytes = decode_base64(value.unwrap().as_bytes()).unwrap();
        OrcaLoadReport::decode(bytes.as_slice()).unwrap()
    }

    fn named(names: &[(&str, f64)]) -> OrcaLoadReport {
        let names = names
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        OrcaLoadReport {
            utilization: names.collect(),
            ..OrcaLoadReport::default()
        }
    }

    #[test]
    fn there_is_no_trailer_without_a_figure() {
        assert_eq!(LoadReports::new(INTERVAL).of_call(None), None);
    }

    #[test]
    fn a_call_without_a_report_has_that_of_the_server() {
        let reports = reports(named(&[("disk", 0.2)]));
        let report = decode(reports.of_call(None));
        assert_eq!(report, reports.server());
        assert!(report.application_utilization > 0.4 && report.rps_fractional > 0.0);
        assert_eq!(report.utilization["disk"], 0.2);
    }

    #[test]
    fn what_a_script_reports_of_a_call_goes_before() {
        let reports = reports(named(&[("disk", 0.2), ("net", 0.3)]));
        let mut of_call = named(&[("disk", 0.9)]);
        of_call.rps_fractional = 1000.0;
        of_call.request_cost.insert("rows".to_owned(), 7.0);
        let report = decode(reports.of_call(Some(&value(&of_call))));
        assert_eq!(
            report.utilization,
            named(&[("disk", 0.9), ("net", 0.3)]).utilization
        );
        assert_eq!(
            (report.rps_fractional, report.request_cost["rows"]),
            (1000.0, 7.0)
        );
        assert!(report.application_utilization > 0.4);
    }

    #[test]
    fn the_pools_utilization_does_not_outweigh_that_of_a_script() {
        let cpu = OrcaLoadReport {
            cpu_utilization: 0.1,
            ..OrcaLoadReport::default()
        };
        let of_server = reports(cpu.clone());
        assert_eq!(of_server.server().application_utilization, 0.0);
        let of_call = reports(OrcaLoadReport::default());
        let report = decode(of_call.of_call(Some(&value(&cpu))));
        assert_eq!(
            (report.application_utilization, report.cpu_utilization),
            (0.0, 0.1)
        );
    }

    #[test]
    fn what_is_no_report_is_left_as_it_is() {
        let reports = reports(OrcaLoadReport::default());
        for value in ["/w", "!"] {
            assert_eq!(
                reports.of_call(Some(&HeaderValue::from_static(value))),
                None
            );
        }
    }
}
