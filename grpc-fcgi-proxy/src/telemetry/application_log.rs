//! Logs the scripts' output to STDERR.

use std::sync::Arc;

use super::FOR_EACH_CALL;
use super::call_id::CallId;

/// How many bytes of one call's STDERR are logged. The rest is only counted.
const MAX_LOGGED: usize = 64 * 1024;
/// A longer line is split.
const MAX_LINE: usize = 8 * 1024;

/// Logs the lines that one script writes to STDERR. FastCGI records do not align with lines.
#[derive(Debug)]
pub(crate) struct ApplicationLog {
    path: Arc<str>,
    id: CallId,
    line: Vec<u8>,
    logged: usize,
    dropped: usize,
}

impl ApplicationLog {
    pub(crate) fn new(path: Arc<str>, id: CallId) -> Self {
        Self {
            path,
            id,
            line: Vec::new(),
            logged: 0,
            dropped: 0,
        }
    }

    /// Adds the content of a STDERR record.
    pub(crate) fn push(&mut self, content: &[u8]) {
        let room = MAX_LOGGED - self.logged;
        let (content, rest) = content.split_at(content.len().min(room));
        self.logged += content.len();
        self.dropped += rest.len();
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
            tracing::warn!(name: FOR_EACH_CALL, target: "application", path = &*self.path, request_id, trace_id, "{text}");
        }
        self.line.clear();
    }
}

impl Drop for ApplicationLog {
    fn drop(&mut self) {
        self.write_line();
        if self.dropped > 0 {
            let (path, bytes) = (&*self.path, self.dropped);
            let (request_id, trace_id) = (self.id.request(), self.id.trace());
            tracing::warn!(name: FOR_EACH_CALL, target: "application", path, request_id, trace_id, bytes, "dropped the rest of the script's output to STDERR");
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn lines_are_assembled_across_records_and_bounded() {
        let id = CallId::of(&HeaderMap::new());
        let mut log = ApplicationLog::new("/a.B/C".into(), id);
        log.push(b"first\nsec");
        assert_eq!(log.line, b"sec");
        log.push(b"ond\n");
        assert!(log.line.is_empty());
        log.push(&vec![b'x'; 2 * MAX_LOGGED]);
        assert_eq!(
            (log.logged, log.dropped),
            (MAX_LOGGED, 2 * MAX_LOGGED - (MAX_LOGGED - 13))
        );
        assert!(log.line.len() < MAX_LINE);
    }
}
