//! The paths of the report: the parameters of a page, the responses, and the errors.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Query, rejection::QueryRejection},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chassis::{context::CallContext, paging::PageRequest, telemetry::bounded};
use serde::{Deserialize, Serialize};
use tonic::Status;

use crate::{
    extent::{Place, Places},
    http::{peer_failed, refused},
    peers::Peers,
    report::{ReportError, page, whole},
};

/// The parameters of a page, as in AIP-158. Without any, the report is whole.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    page_size: Option<i32>,
    page_token: Option<String>,
}

impl Parameters {
    /// The requested page; `None` for the whole report.
    fn page(self) -> Result<Option<PageRequest>, Status> {
        if self.page_size.is_none() && self.page_token.is_none() {
            return Ok(None);
        }
        let size = self.page_size.unwrap_or_default();
        let token = self.page_token.unwrap_or_default();
        PageRequest::new("report".to_owned(), size, &token).map(Some)
    }
}

/// Serves the report.
#[derive(Debug)]
pub(crate) struct Index {
    peers: Peers,
    timeout: Duration,
    small: Places,
    large: Places,
    largest: Places,
}

impl Index {
    pub(crate) fn new(peers: Peers, timeout: Duration) -> Self {
        let large = Places::large();
        Self {
            peers,
            timeout,
            small: Places::small(),
            largest: Places::largest(&large),
            large,
        }
    }

    pub(crate) async fn serve(
        &self,
        parameters: Result<Query<Parameters>, QueryRejection>,
        context: CallContext,
    ) -> Response {
        let Ok(Query(parameters)) = parameters else {
            return invalid("the parameters are page_size, a number, and page_token");
        };
        let page = match parameters.page() {
            Ok(page) => page,
            Err(status) => return invalid(bounded(status.message())),
        };
        let context = context.within(self.timeout);
        let report = match self.build(&self.small, page.as_ref(), &context).await {
            Err(ReportError::TooLarge) => self.build(&self.large, page.as_ref(), &context).await,
            result => result,
        };
        let report = match (report, &page) {
            (Err(ReportError::TooLarge), Some(page)) => {
                self.build(&self.largest, Some(page), &context).await
            }
            (report, _) => report,
        };
        report.unwrap_or_else(|error| failed(error, &context))
    }

    async fn build(
        &self,
        places: &Places,
        page: Option<&PageRequest>,
        context: &CallContext,
    ) -> Result<Response, ReportError> {
        let place = places.take(context).await.ok_or(ReportError::Busy)?;
        let text = match page {
            None => pretty(&whole::collect(&self.peers, context, places.extent).await?)?,
            Some(page) => pretty(&page::collect(&self.peers, context, page, places.extent).await?)?,
        };
        Ok(respond(text, place))
    }
}

fn pretty(report: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// The text of a report. The connection drops it when its last byte is written, or when the client goes away, and the
/// place is free again only then.
struct Sent {
    text: String,
    _place: Place,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn respond(text: String, place: Place) -> Response {
    let sent = Sent {
        text,
        _place: place,
    };
    let body = Body::from(Bytes::from_owner(sent));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn failed(error: ReportError, context: &CallContext) -> Response {
    match error {
        ReportError::Peer(error) => peer_failed(error, context),
        ReportError::Token => invalid("page_token must be a next_page_token of the report"),
        ReportError::TooLarge => refused(
            StatusCode::BAD_REQUEST,
            "FAILED_PRECONDITION",
            "the report exceeds 4 MiB: request it page by page, with page_size",
        ),
        ReportError::Busy => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let refused = refused(status, "UNAVAILABLE", "too many reports at once: try again");
            ([(RETRY_AFTER, "1")], refused).into_response()
        }
        ReportError::Encode(error) => {
            tracing::error!(%error, "cannot encode the report");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            refused(status, "INTERNAL", "cannot encode the report")
        }
    }
}

fn invalid(message: &str) -> Response {
    refused(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_report_keeps_its_place_while_a_connection_has_a_part_of_its_text() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let response = respond("text".repeat(50_000), place);
        let mut text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(text.len(), 200_000);
        let last = text.split_off(199_999);
        drop(text);
        assert_eq!(places.available_permits(), 0);
        drop(last);
        assert_eq!(places.available_permits(), 1);
    }
}
