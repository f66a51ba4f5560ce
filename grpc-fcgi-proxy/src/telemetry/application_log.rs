//! Logs the scripts' output to STDERR.

use std::borrow::Cow;

use tracing::Level;

use super::FOR_EACH_CALL;
use super::call_id::CallId;
use super::script_messages::ScriptMessages;

/// How many bytes of one call's STDERR are logged. The rest is only counted.
const MAX_LOGGED: usize = 64 * 1024;

/// Logs a script's message in its level: the level of a record is constant where it is written.
macro_rules! log {
    ($level:expr, $($fields:tt)*) => {
        match $level {
            Level::ERROR => tracing::error!(name: FOR_EACH_CALL, target: "application", $($fields)*),
            Level::WARN => tracing::warn!(name: FOR_EACH_CALL, target: "application", $($fields)*),
            _ => tracing::info!(name: FOR_EACH_CALL, target: "application", $($fields)*),
        }
    };
}

/// Logs the messages that the script of one call writes to STDERR.
#[derive(Debug)]
pub(crate) struct ApplicationLog {
    id: CallId,
    messages: ScriptMessages,
    /// How many bytes the script has written.
    written: usize,
}

impl ApplicationLog {
    pub(crate) fn new(id: CallId) -> Self {
        Self {
            id,
            messages: ScriptMessages::default(),
            written: 0,
        }
    }

    /// Adds the content of a STDERR record.
    pub(crate) fn push(&mut self, content: &[u8]) {
        let room = MAX_LOGGED.saturating_sub(self.written);
        self.written += content.len();
        let id = &self.id;
        self.messages
            .push(&content[..content.len().min(room)], |level, text| {
                log_of(id, level, &text);
            });
    }

    /// Logs a record that the script has sent as one.
    pub(crate) fn record(&mut self, level: Level, text: &[u8]) {
        let room = MAX_LOGGED.saturating_sub(self.written);
        self.written += text.len();
        let text = &text[..text.len().min(room)];
        if !text.is_empty() {
            log_of(&self.id, level, &String::from_utf8_lossy(text));
        }
    }

    fn dropped(&self) -> usize {
        self.written.saturating_sub(MAX_LOGGED)
    }

    /// The script has written something else.
    pub(crate) fn end_php_message(&mut self) {
        let id = &self.id;
        self.messages
            .end_php_message(|level, text| log_of(id, level, &text));
    }
}

fn log_of(id: &CallId, level: Level, text: &str) {
    let (path, request_id, trace_id) = (id.path(), id.request(), id.trace());
    log!(level, path, request_id, trace_id, "{text}");
}

impl Drop for ApplicationLog {
    fn drop(&mut self) {
        let id = &self.id;
        self.messages.end(|level, text| log_of(id, level, &text));
        let bytes = self.dropped();
        if bytes > 0 {
            let (path, request_id, trace_id) = (id.path(), id.request(), id.trace());
            tracing::warn!(name: FOR_EACH_CALL, target: "application", path, request_id, trace_id, bytes, "dropped the rest of the script's output to STDERR");
        }
    }
}

/// Logs the STDERR of the script that answers an auxiliary path.
pub(crate) fn log_page(path: &str, stderr: &[u8]) {
    let log = |level, text: Cow<'_, str>| log!(level, path, "{text}");
    let mut messages = ScriptMessages::default();
    messages.push(stderr, log);
    messages.end(log);
}

pub(super) use log;

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn what_is_logged_of_a_call_is_bounded() {
        let id = CallId::of("/a.B/C", &HeaderMap::new(), None);
        let mut log = ApplicationLog::new(id);
        log.push(b"first\nsec");
        assert_eq!(log.dropped(), 0);
        log.push(&vec![b'x'; 2 * MAX_LOGGED]);
        assert_eq!(log.dropped(), MAX_LOGGED + 9);
        log.push(b"more");
        assert_eq!(log.dropped(), MAX_LOGGED + 13);
    }
}
