//! Whether the scripts run.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use fastcgi_client::Params;
use grpc_wire::method::{CallKind, Method};
use http::{HeaderMap, Response, StatusCode};

use super::report::{Level, Report};
use crate::binding::route::Script;
use crate::binding::variables::{Endpoint, Input, PageVariables, Variables};
use crate::config::{AuxPath, Config};
use crate::fastcgi::target::Target;
use crate::php_fpm::page::{self, Page, PageError};
use grpc_wire::status::{self, Code};

/// A method that no application has, so that the script does nothing.
const METHOD: Method<'static> = Method {
    path: "/grpc.fcgi.proxy.Check/Check",
    service: "grpc.fcgi.proxy.Check",
    name: "Check",
};
/// A script may take longer than php-fpm itself.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How PHP's log begins what ended a script.
const FATAL: [&str; 2] = ["PHP Fatal error", "PHP Parse error"];
/// php-fpm's log names it where "Access denied." is its doing.
const LIMIT_EXTENSIONS: &str = "security.limit_extensions";
/// More of the log does not fit into a line.
const MAX_LOGGED: usize = 300;

type Finding = (Level, String);

pub(super) async fn check(report: &mut Report, config: &Config, target: &Target) {
    let mut files = vec![&config.entry_script];
    for route in &config.route {
        if !files.contains(&&route.file) {
            files.push(&route.file);
        }
    }
    for file in files {
        let answer = page::exchange(target, call(&Script::new(file)), Bytes::new(), TIMEOUT).await;
        let (level, text) = judge(answer, judge_call);
        report.add(level, format_args!("script {}", file.display()), text);
    }
    for AuxPath { path, file } in &config.aux_path {
        let answer =
            page::exchange(target, get(path, &Script::new(file)), Bytes::new(), TIMEOUT).await;
        let (level, text) = judge(answer, judge_page);
        let subject = format!("auxiliary path {path}, script {}", file.display());
        report.add(level, subject, text);
    }
}

/// A call as the proxy makes it, with an empty message.
fn call(script: &Script) -> Params<'static> {
    let nowhere = Endpoint::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let variables = Variables {
        script,
        kind: CallKind::Unary,
        method: METHOD,
        authority: "localhost",
        headers: &HeaderMap::new(),
        input: Input::Message {
            length: 0,
            compressed: false,
        },
        deadline: None,
        peer: &nowhere,
        local: &nowhere,
    };
    page::params(|params| variables.write(params))
}

fn get(path: &str, script: &Script) -> Params<'static> {
    let variables = PageVariables {
        script,
        method: "GET",
        path,
        query: "",
        headers: &HeaderMap::new(),
        content_length: 0,
    };
    page::params(|params| variables.write(params))
}

/// `ran` judges what a script has answered that php-fpm could run.
fn judge(answer: Result<Page, PageError>, ran: fn(&Response<Vec<u8>>) -> Finding) -> Finding {
    let (answer, log) = match answer {
        Ok((answer, log)) => (answer, String::from_utf8_lossy(&log).into_owned()),
        Err(error) => return (Level::Error, broken(&error)),
    };
    if let Some(reason) = not_run(&answer, &log) {
        return (Level::Error, reason.to_owned());
    }
    let fatal = FATAL.iter().find_map(|error| log.find(error));
    match (fatal, answer.status()) {
        (Some(at), _) => (Level::Error, format!("it fails: {}", line(&log[at..]))),
        (None, StatusCode::INTERNAL_SERVER_ERROR) => (
            Level::Error,
            "it answers with HTTP status 500, as after a fatal error; PHP's log says why"
                .to_owned(),
        ),
        _ => ran(&answer),
    }
}

fn broken(error: &PageError) -> String {
    match error {
        PageError::Timeout => format!("no answer within {} s", TIMEOUT.as_secs()),
        PageError::Exchange(_) => format!(
            "the worker ended before its answer was complete ({error}); php-fpm's log says why"
        ),
        PageError::Answer(_) => format!("its answer has malformed header fields ({error})"),
        PageError::Connect(_) => error.to_string(),
    }
}

/// What php-fpm answers itself where it runs no script (fpm_main.c).
fn not_run(answer: &Response<Vec<u8>>, log: &str) -> Option<&'static str> {
    let body = answer.body().as_slice();
    match (answer.status(), body) {
        (StatusCode::NOT_FOUND, b"File not found.\n") => Some(
            "php-fpm does not find it (\"Primary script unknown\"): name it as php-fpm sees it, in its container or \
             chroot, and let php-fpm's user enter the folders above it",
        ),
        (StatusCode::NOT_FOUND, b"No input file specified.\n") => {
            Some("php-fpm cannot open it: is it a file?")
        }
        (StatusCode::FORBIDDEN, b"Access denied.\n") if log.contains(LIMIT_EXTENSIONS) => Some(
            "php-fpm does not run files of this name: the pool's security.limit_extensions (.php and .phar without \
             one) leaves it out",
        ),
        (StatusCode::FORBIDDEN, b"Access denied.\n") => Some(
            "php-fpm's user may not read it (\"Access denied.\"); or the pool's security.limit_extensions leaves \
             files of this name out",
        ),
        _ => None,
    }
}

fn judge_call(answer: &Response<Vec<u8>>) -> Finding {
    let code = match answer.headers().get("grpc-status") {
        Some(code) => status::decode_code(code.as_bytes()),
        None => status::from_http(answer.status().as_u16()),
    };
    let answers = format!(
        "it runs, and answers {} to a method that does not exist",
        status::label(code)
    );
    match code {
        Code::Unimplemented => (Level::Ok, answers),
        _ => (
            Level::Warning,
            format!("{answers}, not Unimplemented: does it look at GRPC_METHOD?"),
        ),
    }
}

fn judge_page(answer: &Response<Vec<u8>>) -> Finding {
    let level = match answer.status().is_success() {
        true => Level::Ok,
        false => Level::Warning,
    };
    let text = format!("it answers with HTTP status {}", answer.status());
    (level, text)
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
