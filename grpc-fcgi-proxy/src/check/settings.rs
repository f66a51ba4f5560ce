//! PHP's settings that calls depend on: display_errors, the log, post_max_size.
//!
//! They are read off the warnings that PHP gives of a request with too many variables and too long a body, while it
//! begins with it. The script of that request does not exist, so nothing is run.

use bytes::Bytes;
use fastcgi_client::Params;

use super::ANSWER_TIMEOUT;
use super::report::Report;
use crate::fastcgi::target::Target;
use crate::php_fpm::page;

/// PHP allows 64 unless max_input_nesting_level says more.
const NESTING: usize = 8000;
/// PHP allows 1000 unless max_input_vars says more.
const VARIABLES: usize = 16_000;
/// main/php_variables.c gives this one only with display_errors off, so as not to show it to a client.
const TOO_NESTED: &str = "Input variable nesting level exceeded";
/// And this one always.
const TOO_MANY: &str = "Input variables exceeded";
/// main/SAPI.c, unless enable_post_data_reading is off.
const TOO_LONG: (&str, &str) = ("POST Content-Length of", "exceeds the limit of ");

/// What a pool is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    /// Whether PHP's log comes to the proxy.
    log: bool,
    /// `None`: it does not show.
    display_errors: Option<bool>,
    /// `None`: it does not show, or PHP does not look at it.
    post_max_size: Option<usize>,
}

pub(super) async fn check(report: &mut Report, target: &Target, max_message: usize) {
    let answer = page::exchange(target, params(), Bytes::new(), ANSWER_TIMEOUT).await;
    let (page, log) = match answer {
        Ok((page, log)) => (page, log),
        Err(error) => return report.error("PHP's settings", error),
    };
    let (shown, log) = (
        String::from_utf8_lossy(page.body()),
        String::from_utf8_lossy(&log),
    );
    let settings = Settings::read(&shown, &log);
    settings.tell_log(report);
    settings.tell_display_errors(report);
    settings.tell_post_max_size(report, max_message);
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
    /// From what PHP shows and what it logs.
    fn read(shown: &str, log: &str) -> Self {
        let gives = |text: &str| text.contains(TOO_MANY) || text.contains(TOO_LONG.0);
        let display_errors = if log.contains(TOO_NESTED) {
            Some(false)
        } else if gives(shown) || log.contains(TOO_MANY) {
            Some(true)
        } else {
            None
        };
        Self {
            log: gives(log) || log.contains(TOO_NESTED),
            display_errors,
            post_max_size: post_max_size(log).or_else(|| post_max_size(shown)),
        }
    }

    fn tell_log(self, report: &mut Report) {
        let subject = "PHP's log";
        if self.log {
            report.ok(subject, "it comes to the proxy");
        } else {
            report.warning(
                subject,
                "its warnings do not come to the proxy: in the pool set php_admin_flag[log_errors] = on, leave error_log \
                 unset, and let error_reporting have E_WARNING",
            );
        }
    }

    fn tell_display_errors(self, report: &mut Report) {
        let subject = "display_errors";
        let set = "in the pool set php_admin_flag[display_errors] = off";
        match self.display_errors {
            Some(false) => report.ok(subject, "off"),
            Some(true) => report.error(
                subject,
                format_args!("on, and what PHP shows of an error ruins the message: {set}"),
            ),
            None => report.warning(
                subject,
                format_args!("it does not show without PHP's log: {set}"),
            ),
        }
    }

    fn tell_post_max_size(self, report: &mut Report, max_message: usize) {
        let subject = "post_max_size";
        match self.post_max_size {
            Some(limit) if limit < max_message => report.warning(
                subject,
                format_args!(
                    "{limit} bytes, and --max-receive-message-size is {max_message}: a longer message arrives whole, \
                     but PHP warns of each; in the pool set php_admin_value[post_max_size] = {max_message}, or \
                     php_admin_flag[enable_post_data_reading] = off"
                ),
            ),
            Some(limit) => report.ok(
                subject,
                format_args!("{limit} bytes, and --max-receive-message-size is {max_message}"),
            ),
            None if self.log => report.ok(subject, "PHP does not look at it"),
            None => report.warning(subject, "it does not show without PHP's log"),
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
