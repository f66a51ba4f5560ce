//! Whether php-fpm has a worker for each exchange.
//!
//! A connection on which a request has only begun holds its worker. So such connections are made one after the other,
//! for as long as php-fpm still answers on one more.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::reach;
use super::report::Report;
use crate::fcgi::record;
use crate::fcgi::target::{Socket, Target};

/// A pool with pm = dynamic looks once a second whether it needs another worker.
const NEXT_WORKER: Duration = Duration::from_millis(2500);
/// php-fpm is not held up for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many workers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Workers {
    Enough,
    Only(usize),
    /// There would be more, but they come slowly.
    AtLeast(usize),
}

pub(super) async fn check(report: &mut Report, target: &Target, wanted: usize) {
    let subject = "workers";
    match count(target, wanted).await {
        Workers::Enough => report.ok(subject, format_args!("there is one for each of {wanted} exchanges (--max-exchanges)")),
        Workers::Only(found) => report.error(
            subject,
            format_args!("only {found} run at once, and --max-exchanges is {wanted}: set that to {found}, or the pool's pm.max_children to {wanted} (or something else keeps workers busy)"),
        ),
        Workers::AtLeast(found) => report.warning(
            subject,
            format_args!("after {} s {found} run at once, and php-fpm still starts more; --max-exchanges is {wanted}: see that the pool's pm.max_children is no less", PATIENCE.as_secs()),
        ),
    }
}

async fn count(target: &Target, wanted: usize) -> Workers {
    let give_up = Instant::now() + PATIENCE;
    let mut held = Vec::new();
    loop {
        let found = held.len();
        if !matches!(
            timeout(NEXT_WORKER, reach::ask_nothing(target)).await,
            Ok(Ok(()))
        ) {
            return Workers::Only(found);
        }
        if found + 1 == wanted {
            return Workers::Enough;
        }
        if Instant::now() > give_up {
            return Workers::AtLeast(found + 1);
        }
        match hold(target, give_up).await {
            Some(stream) => held.push(stream),
            None => return Workers::Only(found + 1),
        }
    }
}

/// Has a worker wait for the rest of a request.
async fn hold(target: &Target, give_up: Instant) -> Option<Socket> {
    let mut begin = BytesMut::new();
    record::encode_begin_request(false, &mut begin);
    let mut stream = target.connect(give_up).await.ok()?;
    stream.write_all(&begin).await.ok()?;
    Some(stream)
}
