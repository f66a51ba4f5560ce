//! The log: JSON, a record a line, on standard error; and what PHP writes to STDERR in it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use tracing_subscriber::EnvFilter;

/// What of one call's STDERR is logged at the most, in bytes. The rest is counted.
const MAX_LOGGED: usize = 64 * 1024;
/// A longer line is broken.
const MAX_LINE: usize = 8 * 1024;
/// A longer request id is cut.
const MAX_REQUEST_ID: usize = 128;

/// Begins to log. `RUST_LOG` sets what; `info` without it.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Names a call in the log: the client's `x-request-id`, or a number of our own.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Takes it from the request.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get("x-request-id")
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        match given {
            Some(id) if !id.is_empty() => {
                Self(id.chars().take(MAX_REQUEST_ID).collect::<String>().into())
            }
            _ => Self(format!("{:016x}", next_id()).into()),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    method: Arc<str>,
    request_id: RequestId,
    line: Vec<u8>,
    logged: usize,
    left_out: usize,
}

impl ApplicationLog {
    /// For one exchange.
    #[must_use]
    pub fn new(method: Arc<str>, request_id: RequestId) -> Self {
        Self {
            method,
            request_id,
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
            tracing::warn!(target: "application", method = &*self.method, request_id = %self.request_id, "{text}");
        }
        self.line.clear();
    }
}

impl Drop for ApplicationLog {
    fn drop(&mut self) {
        self.write_line();
        if self.left_out > 0 {
            let (method, request_id, bytes) = (&*self.method, &self.request_id, self.left_out);
            tracing::warn!(target: "application", method, %request_id, bytes, "more was written to STDERR, and left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_across_records_and_bounded() {
        let id = RequestId("id".into());
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
    fn a_call_without_an_id_gets_one_of_its_own() {
        let headers = HeaderMap::new();
        let (first, second) = (RequestId::of(&headers), RequestId::of(&headers));
        assert_eq!(first.0.len(), 16);
        assert_ne!(first.0, second.0);
    }

    #[test]
    fn a_clients_id_is_taken_and_bounded() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "abc".parse().unwrap());
        assert_eq!(&*RequestId::of(&headers).0, "abc");
        headers.insert("x-request-id", "x".repeat(1000).parse().unwrap());
        assert_eq!(RequestId::of(&headers).0.len(), MAX_REQUEST_ID);
    }
}
