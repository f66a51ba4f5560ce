//! Runs the scripts, and explains why one fails.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fastcgi_client::Params;
use grpc_wire::method::{CallKind, Method};
use grpc_wire::status::{self, Code};
use http::{HeaderMap, Response, StatusCode};

use super::compression;
use super::report::{Level, Report};
use crate::binding::dialect::Dialect;
use crate::binding::route::{Script, Unresolved};
use crate::binding::variables::{FormattedAddress, Input, Variables};
use crate::config::{AuxPath, Config};
use crate::fastcgi::target::Target;
use crate::php_fpm::page::{self, Page, PageError};

/// A method that no application implements, so that the script does nothing.
const METHOD: Method<'static> = Method {
    path: "/grpc.fcgi.proxy.Check/Check",
    service: "grpc.fcgi.proxy.Check",
    name: "Check",
};
/// Longer than ANSWER_TIMEOUT, since a script does more than php-fpm itself.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How PHP's log begins the record of an error that ended a script.
pub(super) const FATAL: [&str; 2] = ["PHP Fatal error", "PHP Parse error"];
/// php-fpm's log names it if this setting is the reason for "Access denied.".
const LIMIT_EXTENSIONS: &str = "security.limit_extensions";
/// How much of the log fits in the line of a finding, in characters.
const MAX_QUOTED: usize = 300;

type Finding = (Level, String);

pub(super) async fn check(report: &mut Report, config: &Config, target: &Target) {
    let mut files = vec![&config.entry_script];
    for route in &config.route {
        if !files.contains(&&route.file) {
            files.push(&route.file);
        }
    }
    for file in files {
        let subject = format!("script {}", file.display());
        let script = config.script(file);
        let script = match script.current() {
            Ok(script) => script,
            Err(error) => {
                report.error(subject, explain_unresolved(&error));
                continue;
            }
        };
        let answer = compression::exchange(target, call(&script), SCRIPT_TIMEOUT).await;
        let (answer, compressed) = match answer {
            Ok((page, compressed)) => (Ok(page), compressed),
            Err(error) => (Err(error), false),
        };
        let habits = match &answer {
            Ok(page) => find_habits(&page.answer, compressed, config.require_status),
            Err(_) => Vec::new(),
        };
        let (level, text) = judge(answer, judge_call);
        report.add(level, &subject, text);
        if level != Level::Error {
            for (level, text) in habits {
                report.add(level, &subject, text);
            }
        }
    }
    for AuxPath { path, file } in &config.aux_path {
        let script = config.script(file);
        let script = script.current().unwrap_or(Cow::Borrowed(&script));
        let answer = page::get(target, &script, path, "", SCRIPT_TIMEOUT).await;
        let (level, text) = judge(answer, judge_page);
        let subject = format!("auxiliary path {path}, script {}", file.display());
        report.add(level, subject, text);
    }
}

/// The variables of a call with an empty message.
fn call(script: &Script) -> Params<'static> {
    let nowhere = FormattedAddress::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
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
        dialect: Dialect::default(),
        deadline: None,
        peer: &nowhere,
        local: &nowhere,
        tls: None,
    };
    (&variables).into()
}

/// `judge_answer` judges the answer of a script that ran without a fatal error.
fn judge(
    answer: Result<Page, PageError>,
    judge_answer: fn(&Response<Vec<u8>>) -> Finding,
) -> Finding {
    let (answer, log) = match answer {
        Ok(Page { answer, stderr }) => (answer, String::from_utf8_lossy(&stderr).into_owned()),
        Err(error) => return (Level::Error, explain_failure(&error)),
    };
    if let Some(reason) = explain_refusal(&answer, &log) {
        return (Level::Error, reason.to_owned());
    }
    let fatal = FATAL.iter().find_map(|error| log.find(error));
    match (fatal, answer.status()) {
        (Some(at), _) => (Level::Error, format!("fails: {}", first_line(&log[at..]))),
        (None, StatusCode::INTERNAL_SERVER_ERROR) => (
            Level::Error,
            "answers with HTTP status 500, as after a fatal error: look for the reason in PHP's log"
                .to_owned(),
        ),
        _ => judge_answer(&answer),
    }
}

pub(super) fn explain_unresolved(error: &Unresolved) -> String {
    format!(
        "{error}: --resolve-symlinks requires the files of php-fpm under the same paths, so without them, or with a \
         chroot in the pool, omit the flag"
    )
}

pub(super) fn explain_failure(error: &PageError) -> String {
    match error {
        PageError::Timeout => format!(
            "does not answer within {} s: look in the pool's slowlog for where it hangs",
            SCRIPT_TIMEOUT.as_secs()
        ),
        PageError::Exchange(_) => format!(
            "the worker ended before the answer was complete ({error}): look for the reason in php-fpm's log"
        ),
        PageError::Answer(_) => {
            format!("answers with malformed header fields ({error}): correct its calls of header()")
        }
        PageError::Connect(_) => error.to_string(),
    }
}

/// Recognizes the error pages that php-fpm sends when it does not run a script (fpm_main.c).
pub(super) fn explain_refusal(answer: &Response<Vec<u8>>, log: &str) -> Option<&'static str> {
    let body = answer.body().as_slice();
    match (answer.status(), body) {
        (StatusCode::NOT_FOUND, b"File not found.\n") => Some(
            "php-fpm does not find the file (\"Primary script unknown\"): use its path as php-fpm sees it, in php-fpm's \
             container or chroot, and let php-fpm's user enter the folders above it",
        ),
        (StatusCode::NOT_FOUND, b"No input file specified.\n") => Some(
            "php-fpm cannot open the path (\"No input file specified\"): use the path of a file",
        ),
        (StatusCode::FORBIDDEN, b"Access denied.\n") if log.contains(LIMIT_EXTENSIONS) => Some(
            "php-fpm does not run files with this extension: rename the file, or add the extension to the pool's \
             security.limit_extensions (by default .php and .phar)",
        ),
        (StatusCode::FORBIDDEN, b"Access denied.\n") => Some(
            "php-fpm may not read or run the file (\"Access denied\"): let php-fpm's user read it, and add its extension \
             to the pool's security.limit_extensions",
        ),
        _ => None,
    }
}

fn judge_call(answer: &Response<Vec<u8>>) -> Finding {
    let code = match answer.headers().get("grpc-status") {
        Some(code) => status::decode_code(code.as_bytes()),
        None => status::from_http(answer.status().as_u16()),
    };
    let status = status::label(code);
    match code {
        Code::Unimplemented => (
            Level::Ok,
            format!("runs, and answers an unknown method with {status}"),
        ),
        _ => (
            Level::Warning,
            format!(
                "runs, but answers an unknown method with {status}: let it compare GRPC_SERVICE and GRPC_METHOD, and \
                 answer with Unimplemented"
            ),
        ),
    }
}

/// What a script does in each call, and should not.
fn find_habits(answer: &Response<Vec<u8>>, compressed: bool, require_status: bool) -> Vec<Finding> {
    let mut habits = Vec::new();
    let has_status = answer.headers().contains_key("grpc-status");
    if !has_status && answer.status() == StatusCode::OK {
        habits.push(if require_status {
            let text = "sends no Grpc-Status, which --require-status demands";
            (Level::Error, text.to_owned())
        } else {
            let text = "sends no Grpc-Status, so a call is OK even after exit or die() and with text before <?php: let it \
                        send Grpc-Status, and then set --require-status";
            (Level::Warning, text.to_owned())
        });
    }
    // A message may begin so, but an answer with another status than OK has none.
    let body = answer.body();
    let failed = answer
        .headers()
        .get("grpc-status")
        .is_some_and(|code| code != "0");
    let stray =
        body.starts_with(b"\xef\xbb\xbf") || body.first().is_some_and(u8::is_ascii_whitespace);
    if failed && stray {
        let text = "prints a byte order mark or white space before its message: remove it, from before <?php or after ?>";
        habits.push((Level::Warning, text.to_owned()));
    }
    if compressed {
        let text = format!(
            "compresses its output, and a compressed answer fails its call: use no ob_gzhandler; {}",
            compression::REMEDY
        );
        habits.push((Level::Warning, text));
    }
    habits
}

fn judge_page(answer: &Response<Vec<u8>>) -> Finding {
    let level = match answer.status().is_success() {
        true => Level::Ok,
        false => Level::Warning,
    };
    let text = format!("answers with HTTP status {}", answer.status());
    (level, text)
}

/// Without control characters, which could command a terminal.
pub(super) fn first_line(log: &str) -> String {
    let first = log.trim_start().lines().next().unwrap_or_default();
    first
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_QUOTED)
        .collect()
}
