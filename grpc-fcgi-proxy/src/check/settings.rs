//! PHP's settings that calls depend on: display_errors, the log, post_max_size, zlib.output_compression.
//!
//! They are inferred from PHP's warnings about a request with too many variables and too long a body, which PHP logs
//! before it opens the script, and from the form of its answer. The script does not exist, so nothing runs.

use fastcgi_client::Params;

use super::report::Report;
use super::{ANSWER_TIMEOUT, compression};
use crate::fastcgi::target::Target;
use crate::php_fpm::page::Page;

/// More than max_input_nesting_level, which is 64 by default.
const NESTING: usize = 8000;
/// More than max_input_vars, which is 1000 by default.
const VARIABLES: usize = 16_000;
/// main/php_variables.c logs it only if display_errors is off, so that no client sees it.
const TOO_NESTED: &str = "Input variable nesting level exceeded";
/// Independent of display_errors.
const TOO_MANY: &str = "Input variables exceeded";
/// main/SAPI.c, unless enable_post_data_reading is off.
const TOO_LONG: (&str, &str) = ("POST Content-Length of", "exceeds the limit of ");

/// The settings of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    /// Whether PHP's log reaches the proxy.
    log: bool,
    /// `None` if unknown.
    display_errors: Option<bool>,
    /// `None` if unknown, or if PHP does not apply it.
    post_max_size: Option<usize>,
}

pub(super) async fn check(report: &mut Report, target: &Target, max_message: usize) {
    let answer = compression::exchange(target, params(), ANSWER_TIMEOUT).await;
    let (page, log, compressed) = match answer {
        Ok((Page { answer, stderr }, compressed)) => (answer, stderr, compressed),
        Err(error) => return report.error("PHP's settings", error),
    };
    let (shown, log) = (
        String::from_utf8_lossy(page.body()),
        String::from_utf8_lossy(&log),
    );
    let settings = Settings::infer(&shown, &log);
    settings.report_log(report);
    settings.report_display_errors(report);
    settings.report_post_max_size(report, max_message);
    compression::report(report, compressed);
}

fn params() -> Params<'static> {
    let query = format!("a{}{}", "[]".repeat(NESTING), "&b".repeat(VARIABLES));
    Params::default()
        .request_method("POST")
        .script_filename("/grpc-fcgi-proxy-check")
        .script_name("/grpc-fcgi-proxy-check")
        .query_string(query)
        .content_type("application/grpc")
        .custom("CONTENT_LENGTH", i64::MAX.to_string())
}

impl Settings {
    /// Infers them from PHP's output and log.
    fn infer(shown: &str, log: &str) -> Self {
        let has_warning = |text: &str| text.contains(TOO_MANY) || text.contains(TOO_LONG.0);
        let display_errors = if log.contains(TOO_NESTED) {
            Some(false)
        } else if has_warning(shown) || log.contains(TOO_MANY) {
            Some(true)
        } else {
            None
        };
        Self {
            log: has_warning(log) || log.contains(TOO_NESTED),
            display_errors,
            post_max_size: post_max_size(log).or_else(|| post_max_size(shown)),
        }
    }

    fn report_log(self, report: &mut Report) {
        let subject = "PHP's log";
        if self.log {
            report.ok(subject, "reaches the proxy");
        } else {
            report.warning(
                subject,
                "PHP's warnings do not reach the proxy: in the pool, set php_admin_flag[log_errors] = on, leave \
                 error_log unset, and include E_WARNING in error_reporting",
            );
        }
    }

    fn report_display_errors(self, report: &mut Report) {
        let subject = "display_errors";
        let remedy = "in the pool, set php_admin_flag[display_errors] = off";
        match self.display_errors {
            Some(false) => report.ok(subject, "off"),
            Some(true) => report.error(
                subject,
                format_args!("on, so PHP prints errors into the response messages: {remedy}"),
            ),
            None => report.warning(
                subject,
                format_args!("unknown, since PHP's log does not reach the proxy: {remedy}"),
            ),
        }
    }

    fn report_post_max_size(self, report: &mut Report, max_message: usize) {
        let subject = "post_max_size";
        match self.post_max_size {
            Some(limit) if limit < max_message => report.warning(
                subject,
                format_args!(
                    "{limit} bytes, but --max-receive-message-size is {max_message}, so PHP logs a warning for each \
                     longer message, although the script reads it whole: in the pool, set \
                     php_admin_value[post_max_size] = {max_message}, or \
                     php_admin_flag[enable_post_data_reading] = off"
                ),
            ),
            Some(limit) => report.ok(
                subject,
                format_args!("{limit} bytes, enough for --max-receive-message-size ({max_message})"),
            ),
            None if self.log => report.ok(subject, "PHP does not apply it"),
            None => report.warning(
                subject,
                "unknown, since PHP's log does not reach the proxy",
            ),
        }
    }
}

/// "POST Content-Length of N bytes exceeds the limit of M bytes".
fn post_max_size(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once(TOO_LONG.0)?;
    let (_, rest) = rest.split_once(TOO_LONG.1)?;
    let (number, _) = rest.split_once(' ')?;
    number.parse().ok()
}
