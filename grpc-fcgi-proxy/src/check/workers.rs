//! Whether php-fpm has a worker for each exchange and each resident worker.
//!
//! An incomplete request occupies a worker. So incomplete requests are sent one by one, until php-fpm no longer answers
//! another request.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::reach;
use super::report::{Level, Report};
use crate::fastcgi::record;
use crate::fastcgi::socket::Socket;
use crate::fastcgi::target::{ConnectError, Target};
use crate::php_fpm::page::PageError;

/// How long php-fpm may take to start a worker: with pm = dynamic it considers that once a second.
const NEXT_WORKER: Duration = Duration::from_millis(2500);
/// Calls may have to wait for this long, so it is not longer.
const MAX_TIME: Duration = Duration::from_secs(10);

/// How many requests a php-fpm has to run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) resident_workers: usize,
    pub(super) others: Others,
}

/// What runs beside resident workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// Scripts in exchanges of their own (--max-exchanges).
    Exchanges(usize),
    /// At times the successor of a resident worker, or one of php-fpm's pages.
    Pages,
}

/// The number of workers, compared with the need.
#[derive(Debug)]
enum WorkerCount {
    Enough,
    Only(usize),
    /// php-fpm was still starting workers when the time was up.
    AtLeast(usize),
    Unknown(ConnectError),
}

impl Need {
    fn wanted(self) -> usize {
        self.resident_workers
            + match self.others {
                Others::Exchanges(count) => count,
                Others::Pages => 1,
            }
    }

    /// The level of a finding that there are fewer than wanted.
    fn level(self, found: usize) -> Level {
        match self.others {
            Others::Pages if found >= self.resident_workers => Level::Warning,
            _ => Level::Error,
        }
    }
}

/// Names the flags that it follows from.
impl Display for Need {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.resident_workers > 0 {
            write!(
                f,
                "--resident-workers ({} in all) and ",
                self.resident_workers
            )?;
        }
        match self.others {
            Others::Exchanges(count) => write!(f, "--max-exchanges ({count})"),
            Others::Pages => write!(f, "1 for their successors and php-fpm's pages"),
        }
    }
}

pub(super) async fn check(report: &mut Report, target: &Target, need: Need) {
    let (subject, wanted) = ("workers", need.wanted());
    match count(target, wanted).await {
        WorkerCount::Enough => report.ok(subject, format_args!("enough for {need}")),
        WorkerCount::Only(found) => {
            let lower = match need.others {
                Others::Exchanges(_) if need.resident_workers == 0 => {
                    format!("lower --max-exchanges to {found}")
                }
                Others::Exchanges(_) => "lower the flags".to_owned(),
                Others::Pages => "lower --resident-workers".to_owned(),
            };
            let text = format!(
                "php-fpm runs only {} at once, too few for {need}: {lower}, or raise the pool's pm.max_children to \
                 {wanted}, unless other calls keep workers busy",
                requests(found)
            );
            report.add(need.level(found), subject, text);
        }
        WorkerCount::AtLeast(found) => report.warning(
            subject,
            format_args!(
                "after {} s, php-fpm runs {} at once and still starts workers: make sure that the pool's \
                 pm.max_children is at least {wanted} ({need})",
                MAX_TIME.as_secs(),
                requests(found)
            ),
        ),
        WorkerCount::Unknown(error) => report.warning(
            subject,
            format_args!("could not be counted: {error}"),
        ),
    }
}

fn requests(count: usize) -> String {
    match count {
        1 => "1 request".to_owned(),
        _ => format!("{count} requests"),
    }
}

async fn count(target: &Target, wanted: usize) -> WorkerCount {
    let end = Instant::now() + MAX_TIME;
    let mut occupied = Vec::new();
    loop {
        match timeout(NEXT_WORKER, reach::request_nothing(target)).await {
            Ok(Ok(())) => {}
            Ok(Err(PageError::Connect(error))) => return WorkerCount::Unknown(error),
            _ => return WorkerCount::Only(occupied.len()),
        }
        let found = occupied.len() + 1;
        if found == wanted {
            return WorkerCount::Enough;
        }
        if Instant::now() > end {
            return WorkerCount::AtLeast(found);
        }
        match occupy(target).await {
            Ok(socket) => occupied.push(socket),
            Err(error) => return WorkerCount::Unknown(error),
        }
    }
}

/// Occupies a worker with the beginning of a request, until the socket is closed.
async fn occupy(target: &Target) -> Result<Socket, ConnectError> {
    let mut begin = Vec::new();
    record::encode_begin_request(false, &mut begin);
    let mut socket = target.connect(Instant::now()).await?;
    let written = socket.write_all(&begin).await;
    written.map_err(ConnectError::Failed)?;
    Ok(socket)
}
