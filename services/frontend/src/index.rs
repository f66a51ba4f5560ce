//! The paths of the report: the parameters of a page, the responses, and the errors.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::{Query, rejection::QueryRejection},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chassis::{context::CallContext, paging::PageRequest, telemetry::bounded};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tonic::Status;

use crate::{
    extent::{Place, Places},
    http::{peer_failed, refused},
    peers::Peers,
    report::{ReportError, page, whole},
};

/// A response is handed over in chunks of this size, so that a report keeps its place while its client reads slowly.
const CHUNK: usize = 64 << 10;

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
}

impl Index {
    pub(crate) fn new(peers: Peers, timeout: Duration) -> Self {
        Self {
            peers,
            timeout,
            small: Places::small(),
            large: Places::large(),
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
        Ok(respond(text.into(), place))
    }
}

fn pretty(report: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// The report keeps its place until the last chunk is handed over, or the client goes away.
fn respond(text: Bytes, place: Place) -> Response {
    let length = text.len();
    let chunks = (0..length).step_by(CHUNK).map(move |at| {
        let _held = &place;
        Ok::<_, Infallible>(text.slice(at..length.min(at + CHUNK)))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    (headers, Body::from_stream(stream::iter(chunks))).into_response()
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
