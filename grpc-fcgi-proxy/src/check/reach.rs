//! Whether php-fpm is reachable, and speaks FastCGI.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use fastcgi_client::{ClientError, Params};
use tokio::time::Instant;

use super::ANSWER_TIMEOUT;
use crate::fastcgi::target::{ConnectError, Target};
use crate::php_fpm::page::{self, PageError};

/// Returns why php-fpm does not answer.
pub(super) async fn check(target: &Target) -> Result<(), String> {
    if let Err(error) = target.connect(Instant::now()).await {
        return Err(explain_connect_error(&error, target));
    }
    let answer = request_nothing(target).await;
    answer.map_err(|error| explain_page_error(&error))
}

/// Requests no script, so php-fpm answers with an error page and runs nothing.
pub(super) async fn request_nothing(target: &Target) -> Result<(), PageError> {
    page::exchange(target, Params::default(), Bytes::new(), ANSWER_TIMEOUT).await?;
    Ok(())
}

/// Why the connection failed, and what to do.
pub(super) fn explain_connect_error(error: &ConnectError, target: &Target) -> String {
    match (error, target) {
        (ConnectError::Failed(error), Target::Unix(_)) => explain_socket_error(error),
        (ConnectError::Failed(error), _) => explain_address_error(error),
        (ConnectError::FullBacklog, _) => {
            format!("{error}: add workers (pm.max_children), or run check when some are free")
        }
    }
}

fn explain_socket_error(error: &io::Error) -> String {
    let words = match error.kind() {
        ErrorKind::NotFound => {
            "the socket does not exist: start php-fpm, or use the path in the pool's listen"
        }
        ErrorKind::PermissionDenied => {
            "this user may not connect to the socket: permit it by the pool's listen.owner, listen.group and \
             listen.mode, and let the user enter the folders above the socket"
        }
        ErrorKind::ConnectionRefused => {
            "nothing listens on the socket: start php-fpm, or use the path in the pool's listen"
        }
        _ => return error.to_string(),
    };
    words.to_owned()
}

fn explain_address_error(error: &io::Error) -> String {
    let words = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens on the address: start php-fpm, or use the address in the pool's listen"
        }
        ErrorKind::TimedOut => {
            "connecting timed out: use the address in the pool's listen, and let firewalls pass connections to it"
        }
        _ => return error.to_string(),
    };
    words.to_owned()
}

fn explain_page_error(error: &PageError) -> String {
    let words = match error {
        PageError::Timeout => {
            "accepts connections but does not answer, since all workers are busy or it is not php-fpm: add workers \
             (pm.max_children) or run check when some are free, or use the address in the pool's listen"
        }
        PageError::Exchange(ClientError::Io(_)) => {
            "closes connections without an answer: add this machine's address to the pool's listen.allowed_clients, \
             or use the address in the pool's listen if this is not php-fpm"
        }
        error => {
            return format!(
                "does not speak FastCGI ({error}): use the address in the pool's listen, not that of a web server"
            );
        }
    };
    words.to_owned()
}
