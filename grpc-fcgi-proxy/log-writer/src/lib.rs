//! Collects the log's records, and writes them in a thread of its own: nothing waits for the log's reader, and many records
//! are one write. If the reader is too slow, records are dropped and counted, warnings last.
//!
//! tracing-appender (0.2.5) does not collect: its thread wakes for the first record and writes it at once, so records
//! that arrive one by one are a write and a wake-up each. Nor does it keep room for warnings, or report what it dropped.

mod collected;
mod panic;

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prometheus::IntCounter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use self::collected::{Priority, SharedLog};
pub use self::panic::log_panics;

/// How long the end of the process waits for the log's reader.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two attempts to write to a pipe that is full, and does not block.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(20);
/// The memory that a burst needed is given back down to this.
const USUAL_SIZE: usize = 128 * 1024;

/// The writer that tracing uses.
#[derive(Clone, Debug)]
pub struct LogWriter(Arc<SharedLog>);

/// Flushes the log when it is dropped, if the log's reader takes it within a second.
#[derive(Debug)]
pub struct LogGuard {
    shared: Arc<SharedLog>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread that writes to `out`.
///
/// # Errors
///
/// If the system refuses a thread.
pub fn begin(out: impl Write + Send + 'static) -> io::Result<(LogWriter, LogGuard)> {
    let dropped = IntCounter::new(
        "log_records_dropped_total",
        "Records that the log lacks, because its reader was too slow or has gone.",
    );
    let shared = Arc::new(SharedLog::new(dropped.map_err(io::Error::other)?));
    let writing = Arc::clone(&shared);
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_collections(&writing, out))?;
    let guard = LogGuard {
        shared: Arc::clone(&shared),
        thread: Some(thread),
    };
    Ok((LogWriter(shared), guard))
}

impl LogGuard {
    /// Counts the records that were dropped.
    pub fn dropped(&self) -> IntCounter {
        self.shared.dropped.clone()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if self.shared.end(FLUSH_TIMEOUT)
            && let Some(thread) = self.thread.take()
        {
            // A panic was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn write_collections(shared: &SharedLog, mut out: impl Write) {
    let mut records = Vec::new();
    let mut unreported = 0;
    while let Some(dropped) = shared.take(&mut records) {
        unreported += dropped;
        match write(&mut out, &records) {
            Ok(()) if unreported > 0 => {
                let records = std::mem::take(&mut unreported);
                tracing::warn!(records, "the log lacks records: its reader was too slow");
            }
            Ok(()) => {}
            // This cannot be reported anywhere else.
            Err(rest) => unreported += shared.count_dropped(rest),
        }
        records.clear();
        records.shrink_to(USUAL_SIZE);
    }
}

/// Writes all records, or returns those that were not.
fn write<'a>(out: &mut impl Write, mut records: &'a [u8]) -> Result<(), &'a [u8]> {
    while !records.is_empty() {
        match out.write(records) {
            Ok(0) => return Err(records),
            Ok(written) => records = &records[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL_PIPE_PAUSE),
            Err(_) => return Err(records),
        }
    }
    Ok(())
}

/// The writer of one record.
#[derive(Debug)]
pub struct RecordWriter<'a> {
    shared: &'a SharedLog,
    priority: Priority,
}

impl Write for RecordWriter<'_> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.shared.add(record, self.priority);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = RecordWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        RecordWriter {
            shared: &self.0,
            priority: Priority::Warning,
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        let priority = match *meta.level() <= Level::WARN {
            true => Priority::Warning,
            false => Priority::Usual,
        };
        RecordWriter {
            shared: &self.0,
            priority,
        }
    }
}

#[cfg(test)]
mod tests;
