//! The service xds.service.orca.v3.OpenRcaService: the server's load out of band, for clients that make few calls or long ones.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, unfold};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use crate::binding::load_report::OrcaLoadReport;
use crate::binding::load_report::xds::service::orca::v3::OrcaLoadReportRequest;
use crate::binding::load_report::xds::service::orca::v3::open_rca_service_server::{
    OpenRcaService, OpenRcaServiceServer,
};
use crate::load_reports::LoadReports;

/// The name of the service.
pub(super) const OPEN_RCA: &str = "xds.service.orca.v3.OpenRcaService";

/// The service. Its streams end when the sender of `running` is dropped.
#[derive(Debug)]
pub(crate) struct LoadReportService {
    reports: Arc<LoadReports>,
    running: watch::Receiver<bool>,
}

impl LoadReportService {
    pub(super) fn server(
        reports: Arc<LoadReports>,
        running: watch::Receiver<bool>,
    ) -> OpenRcaServiceServer<Self> {
        OpenRcaServiceServer::new(Self { reports, running })
    }
}

#[tonic::async_trait]
impl OpenRcaService for LoadReportService {
    type StreamCoreMetricsStream = BoxStream<'static, Result<OrcaLoadReport, Status>>;

    /// gRFC A51: "Initially receiving a new request, or when the response timer fires, the server sends a response to report
    /// metrics data." And: "the load reporting server will keep sending the metrics data regardless of whether the data has
    /// changed or not."
    async fn stream_core_metrics(
        &self,
        request: Request<OrcaLoadReportRequest>,
    ) -> Result<Response<Self::StreamCoreMetricsStream>, Status> {
        let stream = ReportStream {
            interval: interval(request.get_ref(), self.reports.min_interval),
            reports: Arc::clone(&self.reports),
            running: self.running.clone(),
            begun: false,
        };
        let reports = unfold(Some(stream), |stream| async { stream?.next().await });
        Ok(Response::new(reports.boxed()))
    }
}

/// gRFC A51: "if the `report_interval` from the client OOB request message is less than the service configured minimum
/// interval then it is treated as the service minimum interval."
fn interval(request: &OrcaLoadReportRequest, min: Duration) -> Duration {
    let requested = request.report_interval;
    // A negative one is none.
    let requested = requested.and_then(|interval| Duration::try_from(interval).ok());
    requested.unwrap_or_default().max(min)
}

struct ReportStream {
    interval: Duration,
    reports: Arc<LoadReports>,
    running: watch::Receiver<bool>,
    begun: bool,
}

impl ReportStream {
    async fn next(mut self) -> Option<(Result<OrcaLoadReport, Status>, Option<Self>)> {
        if self.begun {
            tokio::select! {
                () = sleep(self.interval) => {}
                () = async { while self.running.changed().await.is_ok() {} } => {
                    // An open stream would delay the drain.
                    let ended = Status::unavailable("the server is shutting down");
                    return Some((Err(ended), None));
                }
            }
        }
        self.begun = true;
        Some((Ok(self.reports.server()), Some(self)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, pause};

    use super::*;

    const MIN: Duration = Duration::from_secs(30);

    fn requested(seconds: i64, nanos: i32) -> OrcaLoadReportRequest {
        OrcaLoadReportRequest {
            report_interval: Some(prost_types::Duration { seconds, nanos }),
            ..OrcaLoadReportRequest::default()
        }
    }

    #[test]
    fn an_interval_is_at_least_the_minimum() {
        for (request, expected) in [
            (OrcaLoadReportRequest::default(), MIN),
            (requested(0, 0), MIN),
            (requested(-40, 0), MIN),
            (requested(29, 999_999_999), MIN),
            (requested(60, 500_000_000), Duration::from_millis(60_500)),
        ] {
            assert_eq!(interval(&request, MIN), expected, "{request:?}");
        }
    }

    async fn stream(
        running: watch::Receiver<bool>,
        request: OrcaLoadReportRequest,
    ) -> BoxStream<'static, Result<OrcaLoadReport, Status>> {
        let reports = Arc::new(LoadReports::new(MIN));
        let service = LoadReportService { reports, running };
        let response = service.stream_core_metrics(Request::new(request)).await;
        response.unwrap().into_inner()
    }

    #[tokio::test]
    async fn reports_come_at_once_and_after_each_interval() {
        pause();
        let start = Instant::now();
        let (_running, receiver) = watch::channel(true);
        let mut reports = stream(receiver, requested(40, 0)).await;
        for number in 0..3 {
            assert!(reports.next().await.unwrap().is_ok());
            assert_eq!(start.elapsed().as_secs(), 40 * number);
        }
    }

    #[tokio::test]
    async fn an_interval_without_end_is_no_error() {
        let (running, receiver) = watch::channel(true);
        let mut reports = stream(receiver, requested(i64::MAX, 0)).await;
        assert!(reports.next().await.unwrap().is_ok());
        drop(running);
        let error = reports.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unavailable);
        assert!(reports.next().await.is_none());
    }
}
