//! The pages that php-fpm answers itself.

use super::reach::explain_connect_error;
use super::report::{Failures, Report};
use super::{ANSWER_TIMEOUT, explain_lookup};
use crate::fastcgi::endpoint::Endpoint;
use crate::fastcgi::target::Target;
use crate::php_fpm::page::PageError;
use crate::php_fpm::ping::{self, PingError};
use crate::php_fpm::status_page::{StatusPage, StatusPageError};

pub(super) async fn check_ping(report: &mut Report, target: &Target, path: &str) {
    let subject = format!("ping page {path}");
    match ping::ping(target, path, ANSWER_TIMEOUT).await {
        Ok(()) => report.ok(subject, "php-fpm answers it"),
        Err(PingError::Status(status)) => report.error(
            subject,
            format_args!(
                "php-fpm answers with HTTP status {status}: set the pool's ping.path to {path}, or --ping-path to the \
                 pool's value"
            ),
        ),
        Err(error) => report.error(subject, error),
    }
}

pub(super) async fn check_status(report: &mut Report, endpoint: &Endpoint, path: &str) {
    let targets = match endpoint.look_up().await {
        Ok(targets) => targets,
        Err(error) => {
            let subject = format!("status page {endpoint}{path}");
            return report.error(subject, explain_lookup(&error));
        }
    };
    let mut failures = Failures::new(targets.len());
    for target in targets {
        let path = path.to_owned();
        let page = StatusPage { target, path };
        let subject = format!("status page {page}");
        match page.read(ANSWER_TIMEOUT).await {
            Ok(status) => report.ok(
                subject,
                format_args!(
                    "pool {} has {} workers now",
                    status.pool.escape_debug(),
                    status.total_processes
                ),
            ),
            Err(error) => failures.add(subject, explain_status_error(&error, &page)),
        }
    }
    failures.report(report);
}

fn explain_status_error(error: &StatusPageError, page: &StatusPage) -> String {
    match error {
        StatusPageError::Exchange(PageError::Connect(error)) => {
            explain_connect_error(error, &page.target)
        }
        StatusPageError::Exchange(error) => error.to_string(),
        StatusPageError::Http(_) | StatusPageError::Content(_) => format!(
            "{error}: set the pool's pm.status_path to {}, or --status-path to the pool's value",
            page.path
        ),
    }
}
