//! Logs what a resident worker writes to STDERR, and its records that belong to no call.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Level;

use super::FOR_EACH_CALL;
use super::application_log::log;
use super::script_messages::ScriptMessages;

/// How many bytes of one worker are logged in each period. The rest is only counted.
const MAX_LOGGED: usize = 64 * 1024;
const PERIOD: Duration = Duration::from_secs(60);

/// Logs the messages of one worker.
#[derive(Debug)]
pub(crate) struct WorkerLog {
    names: Names,
    messages: ScriptMessages,
    period_began: Instant,
    /// How many bytes the worker has written in this period.
    written: usize,
}

/// What names the worker in each record.
#[derive(Clone, Debug)]
struct Names {
    script: Arc<str>,
    /// The number of its launch.
    worker: u64,
}

impl WorkerLog {
    pub(crate) fn new(script: Arc<str>, worker: u64) -> Self {
        Self {
            names: Names { script, worker },
            messages: ScriptMessages::default(),
            period_began: Instant::now(),
            written: 0,
        }
    }

    /// Adds the content of a STDERR record.
    pub(crate) fn push(&mut self, content: &[u8]) {
        let length = self.admitted(content.len());
        let names = &self.names;
        self.messages
            .push(&content[..length], |level, text| names.log(level, &text));
    }

    /// Whether a message has begun, whose end is not known yet.
    pub(crate) fn in_php_message(&self) -> bool {
        self.messages.in_php_message()
    }

    /// Nothing more of it has come.
    pub(crate) fn end_php_message(&mut self) {
        let names = &self.names;
        self.messages
            .end_php_message(|level, text| names.log(level, &text));
    }

    /// Logs a record that the worker has sent as one.
    pub(crate) fn record(&mut self, level: Level, text: &[u8]) {
        let length = self.admitted(text.len());
        let text = String::from_utf8_lossy(&text[..length]);
        if !text.is_empty() {
            self.names.log(level, &text);
        }
    }

    /// The part of these bytes that may be logged.
    fn admitted(&mut self, length: usize) -> usize {
        if self.period_began.elapsed() >= PERIOD {
            self.report_dropped();
            self.period_began = Instant::now();
            self.written = 0;
        }
        let room = MAX_LOGGED.saturating_sub(self.written);
        self.written += length;
        length.min(room)
    }

    fn report_dropped(&self) {
        let bytes = self.written.saturating_sub(MAX_LOGGED);
        if bytes > 0 {
            let Names { script, worker } = &self.names;
            tracing::warn!(name: FOR_EACH_CALL, target: "application", script = &**script, worker, bytes, "dropped the rest of the worker's output");
        }
    }
}

impl Names {
    fn log(&self, level: Level, text: &str) {
        let Self { script, worker } = self;
        let script = &**script;
        log!(level, script, worker, "{text}");
    }
}

impl Drop for WorkerLog {
    fn drop(&mut self) {
        let names = &self.names;
        self.messages.end(|level, text| names.log(level, &text));
        self.report_dropped();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_logged_of_a_worker_is_bounded_in_each_period() {
        tokio::time::pause();
        let mut log = WorkerLog::new("/a.php".into(), 1);
        assert_eq!(log.admitted(10), 10);
        assert_eq!(log.admitted(MAX_LOGGED), MAX_LOGGED - 10);
        assert_eq!(log.admitted(1), 0);
        tokio::time::advance(PERIOD).await;
        assert_eq!(log.admitted(10), 10);
    }
}
