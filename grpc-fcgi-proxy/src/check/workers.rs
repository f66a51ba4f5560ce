//! Whether php-fpm has a worker for each exchange.
//!
//! A connection on which a request has only begun holds its worker. So such connections are made one after the other,
//! for as long as php-fpm still answers on one more.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::reach;
use super::report::Report;
use crate::fastcgi::record;
use crate::fastcgi::socket::Socket;
use crate::fastcgi::target::{ConnectError, Target};
use crate::php_fpm::page::PageError;

/// A pool with pm = dynamic looks once a second whether it needs another worker.
const NEXT_WORKER: Duration = Duration::from_millis(2500);
/// php-fpm is not held up for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many workers there are.
#[derive(Debug)]
enum Workers {
    Enough,
    Only(usize),
    /// There would be more, but they come slowly.
    AtLeast(usize),
    /// The count broke off.
    Unknown(ConnectError),
}

pub(super) async fn check(report: &mut Report, target: &Target, wanted: usize) {
    let subject = "workers";
    match count(target, wanted).await {
        Workers::Enough => report.ok(
            subject,
            format_args!("one for each of {wanted} exchanges (--max-exchanges)"),
        ),
        Workers::Only(found) => report.error(
            subject,
            format_args!(
                "only {found} run at once, and --max-exchanges is {wanted}: set that to {found}, or the pool's \
                 pm.max_children to {wanted}; unless calls keep others busy just now"
            ),
        ),
        Workers::AtLeast(found) => report.warning(
            subject,
            format_args!(
                "after {} s {found} run at once, and php-fpm still starts more: see that the pool's pm.max_children \
                 is not less than --max-exchanges, {wanted}",
                PATIENCE.as_secs()
            ),
        ),
        Workers::Unknown(error) => report.warning(subject, format_args!("not counted: {error}")),
    }
}

async fn count(target: &Target, wanted: usize) -> Workers {
    let give_up = Instant::now() + PATIENCE;
    let mut held = Vec::new();
    loop {
        match timeout(NEXT_WORKER, reach::ask_nothing(target)).await {
            Ok(Ok(())) => {}
            Ok(Err(PageError::Connect(error))) => return Workers::Unknown(error),
            _ => return Workers::Only(held.len()),
        }
        let found = held.len() + 1;
        if found == wanted {
            return Workers::Enough;
        }
        if Instant::now() > give_up {
            return Workers::AtLeast(found);
        }
        match hold(target).await {
            Ok(socket) => held.push(socket),
            Err(error) => return Workers::Unknown(error),
        }
    }
}

/// Has a worker wait for the rest of a request.
async fn hold(target: &Target) -> Result<Socket, ConnectError> {
    let mut begin = Vec::new();
    record::encode_begin_request(false, &mut begin);
    let mut socket = target.connect(Instant::now()).await?;
    let written = socket.write_all(&begin).await;
    written.map_err(ConnectError::Failed)?;
    Ok(socket)
}
