//! Collects the log's records, and writes them in a thread of its own: calls do not wait for the log's reader, and many
//! records are one write.
//!
//! tracing-appender (0.2.5) does not collect: its thread wakes for the first record and writes it at once, so records
//! that arrive one by one are a write and a wake-up each. Nor does it write warnings before the caller continues.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long records are collected.
const COLLECTED: Duration = Duration::from_millis(20);
/// When this much is collected, the caller writes it: nothing is dropped, and memory is bounded.
const MAX_COLLECTED: usize = 64 * 1024;

/// The writer that tracing uses.
#[derive(Debug)]
pub(super) struct LogWriter<W>(Arc<SharedLog<W>>);

/// Flushes the log when it is dropped.
#[derive(Debug)]
pub(super) struct LogGuard<W: Write> {
    shared: Arc<SharedLog<W>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct SharedLog<W> {
    log: Mutex<CollectedLog>,
    /// Signals the first record of a collection, and the end.
    changed: Condvar,
    /// Locked before `log`, so that records are written in their order.
    out: Mutex<LogOutput<W>>,
}

#[derive(Debug, Default)]
struct CollectedLog {
    collected: Vec<u8>,
    ended: bool,
}

#[derive(Debug)]
struct LogOutput<W> {
    out: W,
    /// The records that are being written, while others are collected.
    written: Vec<u8>,
}

impl<W: Write> SharedLog<W> {
    fn write(&self) {
        let mut out = lock(&self.out);
        let LogOutput { out, written } = &mut *out;
        mem::swap(&mut lock(&self.log).collected, written);
        // An error cannot be reported anywhere else.
        let _ = out.write_all(written);
        written.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that writes to `out`.
pub(super) fn begin<W: Write + Send + 'static>(out: W) -> io::Result<(LogWriter<W>, LogGuard<W>)> {
    let shared = Arc::new(SharedLog {
        log: Mutex::default(),
        changed: Condvar::new(),
        out: Mutex::new(LogOutput {
            out,
            written: Vec::new(),
        }),
    });
    let writing = Arc::clone(&shared);
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_collections(&writing))?;
    let guard = LogGuard {
        shared: Arc::clone(&shared),
        thread: Some(thread),
    };
    Ok((LogWriter(shared), guard))
}

fn write_collections<W: Write>(shared: &SharedLog<W>) {
    let mut ended = false;
    while !ended {
        let wait = shared.changed.wait_while(lock(&shared.log), |log| {
            log.collected.is_empty() && !log.ended
        });
        let log = wait.unwrap_or_else(PoisonError::into_inner);
        let wait = shared
            .changed
            .wait_timeout_while(log, COLLECTED, |log| !log.ended);
        let (log, _) = wait.unwrap_or_else(PoisonError::into_inner);
        ended = log.ended;
        drop(log);
        shared.write();
    }
}

impl<W: Write> Drop for LogGuard<W> {
    fn drop(&mut self) {
        lock(&self.shared.log).ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// The writer of one record.
#[derive(Debug)]
pub(super) struct RecordWriter<'a, W: Write> {
    shared: &'a SharedLog<W>,
    /// Written before the caller continues, with all records before it: a warning must be visible whatever happens next.
    urgent: bool,
}

impl<W: Write> Write for RecordWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = lock(&self.shared.log);
        let first = log.collected.is_empty();
        log.collected.extend_from_slice(bytes);
        let now = self.urgent || log.ended || log.collected.len() >= MAX_COLLECTED;
        drop(log);
        if now {
            self.shared.write();
        } else if first {
            self.shared.changed.notify_all();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, W: Write + 'static> MakeWriter<'a> for LogWriter<W> {
    type Writer = RecordWriter<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        RecordWriter {
            shared: &self.0,
            urgent: true,
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        RecordWriter {
            shared: &self.0,
            urgent: *meta.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Reports each write to the test, and blocks it until the test allows it to return.
    struct GatedOutput {
        writes: Sender<Vec<u8>>,
        may: Option<Receiver<()>>,
    }

    impl Write for GatedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes.send(bytes.to_vec()).unwrap();
            if let Some(may) = &self.may {
                may.recv_timeout(PATIENCE).unwrap();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (
        LogWriter<GatedOutput>,
        LogGuard<GatedOutput>,
        Receiver<Vec<u8>>,
    ) {
        let (sender, writes) = channel();
        let out = GatedOutput {
            writes: sender,
            may: None,
        };
        let (writer, guard) = begin(out).unwrap();
        (writer, guard, writes)
    }

    fn record(writer: &LogWriter<GatedOutput>, urgent: bool, text: &[u8]) {
        let shared = &writer.0;
        RecordWriter { shared, urgent }.write_all(text).unwrap();
    }

    #[test]
    fn a_warning_is_written_at_once_with_all_records_before_it() {
        let (writer, _guard, writes) = log();
        record(&writer, false, b"one\n");
        record(&writer, true, b"wrong\n");
        let all: Vec<u8> = writes.try_iter().flatten().collect();
        assert_eq!(all, b"one\nwrong\n");
    }

    #[test]
    fn the_collection_is_bounded() {
        let (writer, _guard, writes) = log();
        record(&writer, false, &[b'x'; MAX_COLLECTED]);
        assert_eq!(writes.try_recv().unwrap().len(), MAX_COLLECTED);
    }

    /// While the first record is being written, the next ones are collected, however long the write takes.
    #[test]
    fn records_are_collected_during_a_write_and_written_together_and_in_order() {
        let (sender, writes) = channel();
        let (allow, may) = channel();
        let out = GatedOutput {
            writes: sender,
            may: Some(may),
        };
        let (writer, _guard) = begin(out).unwrap();
        record(&writer, false, b"one\n");
        assert_eq!(writes.recv().unwrap(), b"one\n");
        record(&writer, false, b"two\n");
        record(&writer, false, b"three\n");
        allow.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), b"two\nthree\n");
        allow.send(()).unwrap();
    }

    #[test]
    fn nothing_is_lost_at_the_end_nor_after_it() {
        let (writer, guard, writes) = log();
        record(&writer, false, b"last\n");
        drop(guard);
        record(&writer, false, b"later\n");
        assert_eq!(
            writes.try_iter().collect::<Vec<_>>(),
            [&b"last\n"[..], b"later\n"]
        );
    }
}
