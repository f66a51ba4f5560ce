//! Whether php-fpm is there, and speaks FastCGI.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use fastcgi_client::{ClientError, Params};
use tokio::time::Instant;

use super::ANSWER_TIMEOUT;
use super::report::Report;
use crate::fastcgi::target::{ConnectError, Target};
use crate::php_fpm::page::{self, PageError};

/// Tells whether php-fpm answers at all.
pub(super) async fn check(report: &mut Report, target: &Target) -> bool {
    let subject = format!("php-fpm at {target}");
    if let Err(error) = target.connect(Instant::now()).await {
        report.error(subject, connect_words(&error, target));
        return false;
    }
    match ask_nothing(target).await {
        Ok(()) => {
            report.ok(subject, "it takes connections, and speaks FastCGI");
            true
        }
        Err(error) => {
            report.error(subject, answer_words(&error));
            false
        }
    }
}

/// A request for no script at all: php-fpm answers it, with an error page of its own, and runs nothing.
pub(super) async fn ask_nothing(target: &Target) -> Result<(), PageError> {
    page::exchange(target, Params::default(), Bytes::new(), ANSWER_TIMEOUT).await?;
    Ok(())
}

/// Why there is no connection, and what to do.
pub(super) fn connect_words(error: &ConnectError, target: &Target) -> String {
    match (error, target) {
        (ConnectError::Failed(error), Target::Unix(_)) => socket_words(error),
        (ConnectError::Failed(error), Target::Tcp(_)) => address_words(error),
        (ConnectError::FullBacklog, _) => format!("{error}: all workers of php-fpm are busy"),
    }
}

fn socket_words(error: &io::Error) -> String {
    let words = match error.kind() {
        ErrorKind::NotFound => {
            "there is no such socket: start php-fpm, or take the path from the pool's listen"
        }
        ErrorKind::PermissionDenied => {
            "this user may not connect to the socket: set the pool's listen.owner, listen.group and listen.mode, \
             and let the user enter the folders above it"
        }
        ErrorKind::ConnectionRefused => {
            "nobody listens on it: it is no socket, or that of a php-fpm which has ended; start php-fpm"
        }
        _ => return error.to_string(),
    };
    words.to_owned()
}

fn address_words(error: &io::Error) -> String {
    let words = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nobody listens there: start php-fpm, or take the address from the pool's listen"
        }
        ErrorKind::TimedOut => {
            "no answer to the attempt to connect: the address is wrong, or a firewall is between"
        }
        _ => return error.to_string(),
    };
    words.to_owned()
}

fn answer_words(error: &PageError) -> String {
    let words = match error {
        PageError::Timeout => {
            "it takes connections, and does not answer: all workers of php-fpm are busy, or it does not speak FastCGI"
        }
        PageError::Exchange(ClientError::Io(_)) => {
            "it closes connections without an answer: the pool's listen.allowed_clients leaves this address out, \
             or it does not speak FastCGI"
        }
        error => {
            return format!(
                "it does not speak FastCGI ({error}): name the address of php-fpm itself, not that of a web server"
            );
        }
    };
    words.to_owned()
}
