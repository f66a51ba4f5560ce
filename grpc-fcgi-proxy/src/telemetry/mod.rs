//! The log: JSON, a record a line, on standard error; and what PHP writes to STDERR in it.

mod writer;

use std::env;
use std::io::{self, Stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use grpc_wire::trace;
use http::HeaderMap;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::writer::LogGuard;

/// What of one call's STDERR is logged at the most, in bytes. The rest is counted.
const MAX_LOGGED: usize = 64 * 1024;
/// A longer line is broken.
const MAX_LINE: usize = 8 * 1024;

/// Begins to log. `RUST_LOG` sets what, by level and target, as in `info,h2=debug`; `info` without it. What the guard
/// outlives is written.
///
/// # Errors
///
/// If `RUST_LOG` cannot be read, or the system has no more threads.
pub fn init() -> io::Result<LogGuard<Stderr>> {
    let filter = wanted(env::var("RUST_LOG").ok().as_deref())?;
    let (writer, guard) = writer::begin(io::stderr())?;
    let records = fmt::layer().json().flatten_event(true).with_writer(writer);
    tracing_subscriber::registry()
        .with(filter)
        .with(records)
        .init();
    Ok(guard)
}

/// Not EnvFilter, which looks at fields too: its regular expressions are a tenth of the program.
fn wanted(levels: Option<&str>) -> io::Result<Targets> {
    match levels {
        None | Some("") => Ok(Targets::new().with_default(LevelFilter::INFO)),
        Some(levels) => levels.parse().map_err(|error| {
            io::Error::other(format!(
                "RUST_LOG: {error}: use a level such as info, or TARGET=LEVEL,..."
            ))
        }),
    }
}

/// Names a call in the log.
#[derive(Clone, Debug)]
pub struct CallId {
    request: Arc<str>,
    trace: Option<Arc<str>>,
}

impl CallId {
    /// Takes it from the request.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let own = || format!("{:016x}", next_id()).into();
        Self {
            request: trace::request_id(headers).map_or_else(own, Arc::from),
            trace: trace::trace_id(headers).map(Arc::from),
        }
    }

    /// The client's `x-request-id`, or a number of our own.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The trace that the client has the call in.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}

/// Counts up from the time of the first call, so that two runs hardly share an id.
fn next_id() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        AtomicU64::new(u64::try_from(since.as_micros()).unwrap_or_default())
    });
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Makes log records of the lines that one exchange writes to STDERR. The boundaries of FastCGI records are not
/// those of lines.
#[derive(Debug)]
pub struct ApplicationLog {
    path: Arc<str>,
    id: CallId,
    line: Vec<u8>,
    logged: usize,
    left_out: usize,
}

impl ApplicationLog {
    /// For one exchange.
    #[must_use]
    pub fn new(path: Arc<str>, id: CallId) -> Self {
        Self {
            path,
            id,
            line: Vec::new(),
            logged: 0,
            left_out: 0,
        }
    }

    /// Takes the content of a STDERR record.
    pub fn push(&mut self, content: &[u8]) {
        let room = MAX_LOGGED - self.logged;
        let (content, rest) = content.split_at(content.len().min(room));
        self.logged += content.len();
        self.left_out += rest.len();
        for byte in content {
            if *byte != b'\n' {
                self.line.push(*byte);
            }
            if *byte == b'\n' || self.line.len() == MAX_LINE {
                self.write_line();
            }
        }
    }

    fn write_line(&mut self) {
        let line = self.line.trim_ascii_end();
        if !line.is_empty() {
            let text = String::from_utf8_lossy(line);
            let (request_id, trace_id) = (self.id.request(), self.id.trace());
            tracing::warn!(target: "application", path = &*self.path, request_id, trace_id, "{text}");
        }
        self.line.clear();
    }
}

impl Drop for ApplicationLog {
    fn drop(&mut self) {
        self.write_line();
        if self.left_out > 0 {
            let (path, bytes) = (&*self.path, self.left_out);
            let (request_id, trace_id) = (self.id.request(), self.id.trace());
            tracing::warn!(target: "application", path, request_id, trace_id, bytes, "more was written to STDERR, and left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_across_records_and_bounded() {
        let id = CallId::of(&HeaderMap::new());
        let mut log = ApplicationLog::new("/a.B/C".into(), id);
        log.push(b"first\nsec");
        assert_eq!(log.line, b"sec");
        log.push(b"ond\n");
        assert!(log.line.is_empty());
        log.push(&vec![b'x'; 2 * MAX_LOGGED]);
        assert_eq!(
            (log.logged, log.left_out),
            (MAX_LOGGED, 2 * MAX_LOGGED - (MAX_LOGGED - 13))
        );
        assert!(log.line.len() < MAX_LINE);
    }

    #[test]
    fn levels_are_read_and_wrong_ones_refused() {
        for levels in [None, Some(""), Some("warn"), Some("info,h2=debug")] {
            assert!(wanted(levels).is_ok(), "{levels:?}");
        }
        let error = wanted(Some("h2=loud")).unwrap_err().to_string();
        assert!(error.contains("use a level such as info"), "{error}");
    }

    #[test]
    fn a_call_without_an_id_gets_one_of_its_own() {
        let headers = HeaderMap::new();
        let (first, second) = (CallId::of(&headers), CallId::of(&headers));
        assert_eq!(first.request().len(), 16);
        assert_ne!(first.request(), second.request());
    }
}
