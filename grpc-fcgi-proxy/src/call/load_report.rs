//! The end of a call, with the server's load report in its trailers (gRFC A51), if there are to be any.

use std::sync::Arc;

use grpc_wire::metadata::{field_size, list_size};
use grpc_wire::status::Code;
use http::HeaderMap;

use super::bounds::status_size;
use super::error::CallError;
use super::observed::Observed;
use super::response::Outcome;
use crate::binding::load_report::{CALL_REPORT, OrcaLoadReport};
use crate::load_reports::LoadReports;

/// What the calls tell of the load, and their clients of it.
#[derive(Clone, Debug)]
pub(crate) struct CallReports {
    /// Absent without `--load-reports`.
    pub(crate) reports: Option<Arc<LoadReports>>,
    /// The application's part of a response's header fields, and of its trailers, in bytes.
    pub(crate) limit: usize,
}

impl CallReports {
    /// A script reports on the whole server.
    pub(super) fn set_server(&self, report: OrcaLoadReport) {
        if let Some(reports) = &self.reports {
            reports.set_scripts(report);
        }
    }

    /// Records the end of the call. Every failure becomes a status here; `begun` says that the header fields of the response
    /// have been sent.
    pub(super) fn end(
        &self,
        result: Result<Outcome, CallError>,
        observed: &mut Observed,
        begun: bool,
    ) -> Outcome {
        let (mut outcome, is_error) = match result {
            Ok(outcome) => {
                let code = outcome.status.code;
                observed.end(code);
                (outcome, is_error(code))
            }
            Err(error) => {
                observed.fail(&error);
                (Outcome::failed(error.status()), error.is_servers())
            }
        };
        if let Some(reports) = &self.reports {
            reports.count(is_error);
            self.add(reports, &mut outcome, begun);
        }
        outcome
    }

    /// Adds the report, unless the client might then refuse the trailers.
    fn add(&self, reports: &LoadReports, outcome: &mut Outcome, begun: bool) {
        // Trailers-Only stays so.
        let fields = if outcome.is_trailers_only() && !begun {
            &mut outcome.metadata
        } else {
            &mut outcome.trailers
        };
        let Ok(script) = only_report(fields) else {
            return;
        };
        let Some(report) = reports.of_call(script) else {
            return;
        };
        let replaced = script.map_or(0, |script| field_size(&CALL_REPORT, script.len()));
        let size = list_size(fields) + status_size(&outcome.status) - replaced;
        if size + field_size(&CALL_REPORT, report.len()) <= self.limit {
            fields.insert(CALL_REPORT, report);
        }
    }
}

/// What the script reports on the call. Several reports are an error, which is the script's own.
fn only_report(fields: &HeaderMap) -> Result<Option<&http::HeaderValue>, ()> {
    let mut reports = fields.get_all(CALL_REPORT).iter();
    match (reports.next(), reports.next()) {
        (report, None) => Ok(report),
        _ => Err(()),
    }
}

/// Whether a status of a script says that the server has failed, whatever the client asked for.
fn is_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
