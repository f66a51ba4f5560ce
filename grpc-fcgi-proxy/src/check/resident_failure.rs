//! Explains why a script does not become a resident worker.

use std::io::{self, ErrorKind};
use std::time::Duration;

use http::StatusCode;

use super::report::Report;
use super::scripts::{FATAL, explain_failure, explain_refusal, first_line};
use crate::fastcgi::target::Target;
use crate::php_fpm::page::{Page, PageError};

/// What the kit logs before the address and the reason (php/grpc-server/src/RpcServer.php).
const UNREACHABLE: &str = "cannot connect to the proxy at ";
/// How PHP names a function that is disabled.
const UNDEFINED: &str = "Call to undefined function ";

pub(super) fn report_bind(report: &mut Report, address: Option<&str>, error: &io::Error) {
    let subject = "address for resident workers";
    match (address, error.kind()) {
        (Some(address), ErrorKind::AddrInUse) => report.warning(
            subject,
            format_args!(
                "{address} is in use, so no worker was booted: run check when the proxy does not run, or use an address \
                 of its own"
            ),
        ),
        (Some(address), _) => report.error(
            subject,
            format_args!("cannot listen at {address} ({error}): use another --resident-address"),
        ),
        (None, _) => report.error(
            subject,
            format_args!(
                "cannot make a folder with a socket ({error}): name a folder in $RUNTIME_DIRECTORY or $TMPDIR that this \
                 user can write to, with a short path, or set --resident-address"
            ),
        ),
    }
}

pub(super) fn report_address(report: &mut Report, target: &Target, error: &io::Error) {
    let subject = "address for resident workers";
    match target {
        Target::Unix(_) => report.error(
            subject,
            "the address of the proxy that php-fpm sees is unknown, since php-fpm listens on a Unix socket: set a host in \
             --resident-address",
        ),
        _ => report.error(subject, error),
    }
}

/// `address` is what the script was to connect to.
pub(super) fn explain_end(ended: &Result<Page, PageError>, address: &str) -> String {
    let page = match ended {
        Ok(page) => page,
        Err(error) => return explain_failure(error),
    };
    let log = String::from_utf8_lossy(&page.stderr);
    if let Some(reason) = explain_refusal(&page.answer, &log) {
        return reason.to_owned();
    }
    if let Some((_, rest)) = log.split_once(UNREACHABLE) {
        return explain_unreachable(rest, address);
    }
    if let Some(words) = explain_fatal(ended) {
        return words;
    }
    let mut text = "ends without connecting to the proxy: let it call run() of php/grpc-server's RpcServer \
                    (--resident-exclude keeps out the script of a --route, but not the entry script)"
        .to_owned();
    let printed = String::from_utf8_lossy(page.answer.body());
    for (verb, content) in [("logs", &log), ("prints", &printed)] {
        let line = first_line(content);
        if !line.is_empty() {
            text += &format!("; it {verb} {line:?}");
        }
    }
    text
}

/// The fatal error with which the script has ended, if it was one.
pub(super) fn explain_fatal(ended: &Result<Page, PageError>) -> Option<String> {
    let page = ended.as_ref().ok()?;
    let log = String::from_utf8_lossy(&page.stderr);
    if let Some(name) = disabled_function(&log) {
        return Some(format!(
            "needs the function {name}: remove it from disable_functions in the pool and in php.ini"
        ));
    }
    if let Some(at) = FATAL.iter().find_map(|error| log.find(error)) {
        return Some(format!("fails at boot: {}", first_line(&log[at..])));
    }
    (page.answer.status() == StatusCode::INTERNAL_SERVER_ERROR).then(|| {
        "fails at boot, with HTTP status 500 as after a fatal error: look for the reason in PHP's log".to_owned()
    })
}

/// A function of PHP's that the kit calls, and does not find.
fn disabled_function(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once(UNDEFINED)?;
    let (name, _) = rest.split_once("()")?;
    let plain = name.rsplit('\\').next()?;
    (name.starts_with("Grpc\\") || plain.starts_with("stream_")).then_some(plain)
}

pub(super) fn explain_timeout(time: Duration, address: &str) -> String {
    format!(
        "does not connect to {address} within {}: raise --resident-boot-timeout if it boots for longer, look in the \
         pool's slowlog for where it hangs, or add workers (pm.max_children) if all are busy",
        humantime::format_duration(time)
    )
}

/// `rest` is what the kit logs behind [`UNREACHABLE`]: the address, and PHP's reason with the number of the error.
fn explain_unreachable(rest: &str, address: &str) -> String {
    let line = rest.lines().next().unwrap_or_default();
    let reason = first_line(
        line.strip_prefix(address)
            .unwrap_or(line)
            .trim_start_matches(": "),
    );
    let number = reason
        .rsplit_once('(')
        .and_then(|(_, number)| number.trim_end_matches(')').parse().ok());
    let remedy = match (number, address.starts_with("unix:")) {
        (Some(libc::EACCES), true) => {
            "let php-fpm's user enter the folders above the socket, or set --resident-address to a socket in a folder \
             that it may enter"
        }
        (Some(libc::ENOENT), true) => {
            "php-fpm's files are others than the proxy's (another container, a chroot, systemd's PrivateTmp): share the \
             folder under the same path and set --resident-address to a socket in it, or use tcp://"
        }
        (_, true) => {
            "set --resident-address to a socket that php-fpm's user can connect to, or use tcp://"
        }
        (_, false) => {
            "set --resident-address to an address of this machine that php-fpm can reach, which 127.0.0.1 is not from \
             another machine or container, and let firewalls pass connections to it"
        }
    };
    format!("cannot connect to {address} ({reason}): {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_reached_has_a_remedy() {
        let socket = "unix:///run/w.sock";
        let explain =
            |address: &str, reason| explain_unreachable(&format!("{address}: {reason}\n"), address);
        let words = explain(socket, "Permission denied (13)");
        assert!(
            words
                .starts_with("cannot connect to unix:///run/w.sock (Permission denied (13)): let ")
        );
        assert!(explain(socket, "No such file or directory (2)").contains("a chroot"));
        assert!(explain(socket, "odd").contains("use tcp://"));
        assert!(
            explain("tcp://10.0.0.1:7", "Connection refused (111)").contains("127.0.0.1 is not")
        );
    }

    #[test]
    fn only_functions_that_the_kit_needs_are_called_disabled() {
        let log = |name| {
            format!("PHP Fatal error:  Uncaught Error: {UNDEFINED}{name}() in /app/index.php:3")
        };
        let kits = log("Grpc\\Resident\\getmypid");
        assert_eq!(disabled_function(&kits), Some("getmypid"));
        let own = log("stream_socket_client");
        assert_eq!(disabled_function(&own), Some("stream_socket_client"));
        assert_eq!(disabled_function(&log("App\\boot")), None);
    }
}
