//! Whether the scripts run.

use std::path::Path;

use bytes::Bytes;
use fastcgi_client::Params;
use http::{Method, Request, Response, StatusCode};

use super::report::{Level, Report};
use crate::admin;
use crate::config::Config;
use crate::fcgi::target::Target;
use crate::fcgi::whole::{self, WholeError};
use crate::grpc::status::{self, Code};

/// A method that no application has, so that the script does nothing.
const SERVICE: &str = "grpc.fcgi.proxy.Check";
const METHOD: &str = "Check";
/// A script may take longer than php-fpm itself.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// More of the log does not fit into a line.
const MAX_LOGGED: usize = 300;

type Answer = Result<(Response<Vec<u8>>, Vec<u8>), WholeError>;
type Finding = (Level, String);

pub(super) async fn check(report: &mut Report, config: &Config, target: &Target) {
    let entry = ("entry script", &config.entry_script);
    let routes = config
        .route
        .iter()
        .map(|route| ("route's script", &route.file));
    for (what, file) in [entry].into_iter().chain(routes) {
        let answer = whole::exchange(target, call(file), Bytes::new(), TIMEOUT).await;
        let (level, text) =
            ran(answer).map_or_else(|finding| finding, |answer| judge_call(&answer));
        report.add(level, format_args!("{what} {}", file.display()), text);
    }
    for path in &config.aux_path {
        let answer =
            whole::exchange(target, get(&path.path, &path.file), Bytes::new(), TIMEOUT).await;
        let (level, text) =
            ran(answer).map_or_else(|finding| finding, |answer| judge_page(&answer));
        report.add(level, format_args!("auxiliary path {}", path.path), text);
    }
}

fn call(script: &Path) -> Params<'static> {
    let path = format!("/{SERVICE}/{METHOD}");
    let folder = script.parent().unwrap_or(Path::new("/"));
    Params::default()
        .request_method("POST")
        .request_uri(path.clone())
        .script_name(path)
        .script_filename(script.to_string_lossy().into_owned())
        .document_root(folder.to_string_lossy().into_owned())
        .query_string("")
        .server_protocol("HTTP/2.0")
        .content_type("application/grpc")
        .content_length(0)
        .custom("GRPC_SERVICE", SERVICE)
        .custom("GRPC_METHOD", METHOD)
        .custom("GRPC_CALL_KIND", "unary")
        .custom("GRPC_MESSAGE_COMPRESSED", "0")
        .custom("GRPC_METADATA", "")
}

fn get(path: &str, script: &Path) -> Params<'static> {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = path.parse().unwrap_or_default();
    admin::params(script, &request.into_parts().0, 0)
}

/// The answer, if php-fpm has run the script to its end.
fn ran(answer: Answer) -> Result<Response<Vec<u8>>, Finding> {
    let (answer, log) = answer.map_err(|error| (Level::Error, broken(&error)))?;
    let log = String::from_utf8_lossy(&log);
    if let Some(reason) = not_run(&answer, &log) {
        return Err((Level::Error, reason.to_owned()));
    }
    let fatal = ["PHP Fatal error", "PHP Parse error"]
        .iter()
        .find_map(|error| log.find(error));
    match (fatal, answer.status()) {
        (Some(at), _) => Err((Level::Error, format!("it fails: {}", line(&log[at..])))),
        (None, StatusCode::INTERNAL_SERVER_ERROR) => Err((
            Level::Error,
            format!(
                "it answers with HTTP status 500, as after a fatal error; PHP's log: {}",
                line(&log)
            ),
        )),
        _ => Ok(answer),
    }
}

fn broken(error: &WholeError) -> String {
    match error {
        WholeError::Timeout => format!("no answer within {} s", TIMEOUT.as_secs()),
        WholeError::Exchange(_) => format!(
            "the worker ended before its answer was complete ({error}); php-fpm's log says why"
        ),
        WholeError::Answer(_) => format!("its answer has malformed header fields ({error})"),
        WholeError::Connect(_) => error.to_string(),
    }
}

/// php-fpm's own pages, in fpm_main.c.
fn not_run(answer: &Response<Vec<u8>>, log: &str) -> Option<&'static str> {
    match (answer.status(), answer.body().as_slice()) {
        (StatusCode::NOT_FOUND, b"File not found.\n") => Some(
            "php-fpm does not find it (\"Primary script unknown\"): name it as php-fpm sees it, in its container or chroot, and let php-fpm's user enter the folders above it",
        ),
        (StatusCode::NOT_FOUND, b"No input file specified.\n") => {
            Some("php-fpm cannot open it: is it a file?")
        }
        (StatusCode::FORBIDDEN, b"Access denied.\n")
            if log.contains("security.limit_extensions") =>
        {
            Some(
                "php-fpm does not run files of this name: the pool's security.limit_extensions (.php and .phar without one) leaves it out",
            )
        }
        (StatusCode::FORBIDDEN, b"Access denied.\n") => Some(
            "php-fpm's user may not read it (\"Access denied.\"); or, if it may, the pool's security.limit_extensions leaves the file's name out",
        ),
        _ => None,
    }
}

fn judge_call(answer: &Response<Vec<u8>>) -> Finding {
    let code = match answer.headers().get("grpc-status") {
        Some(code) => status::decode_code(code.as_bytes()),
        None => status::from_http(answer.status().as_u16()),
    };
    match code {
        Code::Unimplemented => (Level::Ok, "it runs, and answers UNIMPLEMENTED to a method that does not exist".to_owned()),
        Code::Ok => (Level::Warning, "it runs, but answers OK to a method that does not exist: it should look at GRPC_METHOD".to_owned()),
        code => (Level::Warning, format!("it runs, but answers with status {} to a method that does not exist, not with Unimplemented", status::label(code))),
    }
}

fn judge_page(answer: &Response<Vec<u8>>) -> Finding {
    let level = if answer.status().is_success() {
        Level::Ok
    } else {
        Level::Warning
    };
    (
        level,
        format!("it answers with HTTP status {}", answer.status()),
    )
}

/// The first line, without what could command a terminal.
fn line(log: &str) -> String {
    let first = log.trim_start().lines().next().unwrap_or_default();
    first
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_LOGGED)
        .collect()
}
